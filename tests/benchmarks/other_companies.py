"""How near does the one default configuration come to the truth on companies unlike Saral? AUROC and log loss.

Drawn companies whose hazards are known: memberships renewed month by month (many by themselves), a shop with a strong
season, courses in terms; and by day (`companies_by_day.py`) prepaid telecom, streaming paid ahead, and software sold to
few accounts, one for every ten customers asked for. Beside the truth stand a plain logistic regression and a plain
LightGBM, fitted on the same signals of the same finished cutoffs. All are judged on what came after the newest cutoff.

    .venv/bin/python tests/benchmarks/other_companies.py --customers 4000 --seeds 1 2
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
from companies_by_day import by_day
from drawn_company import AHEAD, KNOWN, START, Company, Events, moment
from numpy.typing import NDArray

from features.build import build_signals
from training.calibration import sigmoid
from training.evaluation import Floats, auroc, log_loss, paired_difference
from training.examples import Examples
from training.labels import ChurnOptions
from training.model import matrix
from training.notebook import build_examples, fit_candidates, outcomes, predict


def memberships(customers: int, seed: int) -> Company:
    """Thirty days at a time. Whoever pays by hand, or listens less than before, is less likely to pay again.

    The chance of the next payment is set when the last one is made: nothing hidden is left to happen.
    """
    rng, events, truth = np.random.default_rng(seed), Events(), {}
    for who in range(customers):
        day, by_itself = float(rng.uniform(0, KNOWN - 30)), bool(rng.random() < 0.6)
        events.add(who, day, "subscription_started", auto_renew=by_itself, expires_at=moment(day + 30))
        liking = float(rng.normal(0, 1))
        while day < KNOWN + AHEAD:
            liking = 0.8 * liking + 0.6 * float(rng.normal(0, 1))
            heard = rng.uniform(day, day + 30, rng.poisson(8 * np.exp(0.6 * liking)))
            for at in heard:
                events.add(who, float(at), "song_played")
            stops = float(sigmoid(np.asarray((-3.6 if by_itself else -1.5) - 0.9 * liking)))
            if day < KNOWN <= day + 30:
                truth[f"C{who}"] = stops
            if rng.random() < stops:
                break
            day += 30
            events.add(who, day, "subscription_renewed", auto_renew=by_itself, expires_at=moment(day + 30))
    churn = ChurnOptions(
        activity=["subscription_renewed", "subscription_started"], horizon_days=30, active_within_days=30
    )
    return Company(name="memberships", events=events, churn=churn, truth=truth)


def season(day: Floats) -> Floats:
    """How many times as much is bought on a day of the year: festive autumns, quiet summers."""
    return np.asarray(np.exp(1.1 * np.cos(2 * np.pi * (day - 310) / 365.25)), dtype=np.float64)


def seasonal_shop(customers: int, seed: int) -> Company:
    """Orders at a pace of one's own times the season, until one day there are none any more.

    The truth is that of somebody who knows paces, hazards and season, but not who is gone: it must be inferred from
    the silence, as by us.
    """
    rng, events, truth = np.random.default_rng(seed), Events(), {}
    days = np.arange(KNOWN + AHEAD + 1, dtype=np.float64)
    until = np.r_[0.0, np.cumsum(season(days + 0.5))]  # of the season, up to each day
    for who in range(customers):
        first, pace, hazard = int(rng.integers(0, KNOWN - 60)), rng.gamma(1.5, 1 / 60), rng.gamma(2, 1 / 700)
        gone = first + rng.exponential(1 / hazard)
        bought = [
            first,
            *(int(day) for day in days[first + 1 : -1] if day < gone and rng.random() < pace * season(day)),
        ]
        for day in bought:
            events.add(who, day + float(rng.random()), "order_completed", amount_minor=int(rng.integers(200, 4_000)))
        last = max(day for day in bought if day < KNOWN)
        truth[f"C{who}"] = silent(pace, hazard, until, last)
    return Company(name="seasonal shop", events=events, churn=ChurnOptions(horizon_days=90), truth=truth)


def silent(pace: float, hazard: float, until: Floats, last: int) -> float:
    """The chance of no order in the 90 days after KNOWN, for somebody silent since `last`, by days."""
    past, ahead = np.arange(last, KNOWN), np.arange(KNOWN, KNOWN + 90)
    here = np.exp(-hazard * (KNOWN - last) - pace * (until[KNOWN] - until[last]))
    gone = np.sum(hazard * np.exp(-hazard * (past - last) - pace * (until[past] - until[last])))
    quiet = np.sum(hazard * np.exp(-hazard * (ahead - KNOWN) - pace * (until[ahead] - until[KNOWN])))
    quiet += np.exp(-hazard * 90 - pace * (until[KNOWN + 90] - until[KNOWN]))
    return float((gone + here * min(1.0, quiet)) / (gone + here))


def courses(customers: int, seed: int) -> Company:
    """Terms of 120 days; whoever does few lessons drops out, most around the third and the tenth week."""
    rng, events, truth = np.random.default_rng(seed), Events(), {}
    terms = np.arange(0, KNOWN + AHEAD, 120)
    week = np.arange(18)
    peaks = 0.01 + 0.05 * np.exp(-((week - 3) ** 2) / 2) + 0.04 * np.exp(-((week - 10) ** 2) / 3)
    for who in range(customers):
        term, zeal = int(rng.integers(0, len(terms))), float(rng.normal(0, 1))
        while term < len(terms):
            begun = terms[term] + float(rng.uniform(0, 10))
            course = f"course-{int(rng.integers(0, 5))}"
            events.add(who, begun, "course_started", course=course)
            zeal_here = 0.7 * zeal + 0.7 * float(rng.normal(0, 1))
            hazards = np.minimum(0.9, peaks * np.exp(-0.9 * zeal_here))  # of each week
            stays = np.cumprod(1 - hazards)
            gone = rng.random() > stays
            left = int(np.argmax(gone)) if gone.any() else 18
            for at in rng.uniform(
                0, 7 * min(left + 0.5, 17), rng.poisson(3 * np.exp(0.5 * zeal_here) * min(left + 0.5, 17))
            ):
                events.add(who, begun + float(at), "lesson_done", course=course)
            ends = begun + (7 * left + 3.5 if left < 17 else 119)
            if begun < KNOWN < ends:
                truth[f"C{who}"] = chance_in(30, hazards, KNOWN - begun)
            if left < 17:
                events.add(who, ends, "course_left", course=course)
                break
            term += 1
            if rng.random() > 0.85:
                break
    churn = ChurnOptions(
        definition="event",
        event="course_left",
        activity=["lesson_done", "course_started"],
        horizon_days=30,
        active_within_days=30,
        begun_by=["course_started"],
    )
    return Company(name="courses", events=events, churn=churn, truth=truth)


def chance_in(days: int, hazards: NDArray[np.float64], age: float) -> float:
    """The chance to leave within so many days at this age; one leaves in the middle of a week."""
    stays = 1.0
    for week, hazard in enumerate(hazards[:17]):
        if age <= 7 * week + 3.5 < age + days:
            stays *= 1 - hazard
    return float(1 - stays)


COMPANIES = {"memberships": memberships, "shop": seasonal_shop, "courses": courses} | by_day()


def plain(examples: Examples, X: NDArray[np.float32]) -> dict[str, Floats]:
    """A logistic regression and a LightGBM as their libraries come, on all finished cutoffs."""
    from lightgbm import LGBMClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = examples.rows(examples.slices.finished, unseen=None)
    line = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(max_iter=300),
    )
    trees = LGBMClassifier(verbose=-1, n_jobs=2, random_state=1)
    return {
        name: np.asarray(model.fit(rows.X, rows.y).predict_proba(X)[:, 1], dtype=np.float64)
        for name, model in (("plain logistic", line), ("plain LightGBM", trees))
    }


def judged(company: Company, folder: Path) -> list[str]:
    """One line for each set of scores."""
    log, as_of = company.events.log(folder), START + timedelta(days=company.known)
    examples = build_examples(log, as_of, company.churn)
    found = fit_candidates(examples)
    table = predict(log, examples, found, as_of)
    who = table.column("customer_id").to_pylist()
    y = outcomes(log, examples, as_of, table.column("customer_id"))
    scores = {"ours": np.asarray(table.column("churn_probability").to_numpy(), dtype=np.float64)}
    signals = build_signals(log, [as_of], fitted=examples.fitted, customers=who)
    scores |= plain(examples, matrix(signals, examples.signal_names))
    scores["truth"] = np.array([company.truth.get(str(customer), np.nan) for customer in who])
    known = ~np.isnan(y) & ~np.isnan(scores["truth"])
    y, scores = y[known], {name: p[known] for name, p in scores.items()}
    lines = []
    for name, p in scores.items():
        gap = paired_difference(y, scores["ours"], p, np.arange(len(y)))
        kind = f"{name}: {found.winner}" if name == "ours" else name
        beside = "" if name == "ours" else f"{gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
        cells = [
            company.name,
            f"{len(y):,}",
            f"{y.mean():.3f}",
            kind,
            f"{p.mean():.3f}",
            f"{auroc(y, p):.3f}",
            f"{log_loss(y, p):.4f}",
        ]
        lines.append("| " + " | ".join([*cells, beside]) + " |")
    return lines


def main() -> None:
    """Each company with each seed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--customers", type=int, default=4_000)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("--only", nargs="+", choices=list(COMPANIES), default=list(COMPANIES))
    chosen = arguments.parse_args()
    head = ["company", "judged", "left", "scores", "foreseen", "AUROC", "log loss", "log loss more than ours"]
    sys.stdout.write("| " + " | ".join(head) + " |\n|" + " --- |" * len(head) + "\n")
    for name in chosen.only:
        for seed in chosen.seeds:
            with tempfile.TemporaryDirectory() as folder:
                sys.stdout.write("\n".join(judged(COMPANIES[name](chosen.customers, seed), Path(folder))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
