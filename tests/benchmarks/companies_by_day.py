"""Companies drawn day by day: prepaid telecom, streaming paid ahead, software sold to few accounts.

The truth is that of somebody who knows every hazard and everybody's state on the last known day, but not who has left
without a word: that must be inferred from the silence, as by us. Chances are means over copies that live on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from drawn_company import Company, Events, moment
from numpy.typing import NDArray

from training.calibration import sigmoid
from training.evaluation import Floats
from training.labels import ChurnOptions

State = dict[str, NDArray[Any]]
Rng = np.random.Generator
COPIES = 60  # of everybody, to tell what may come


def drift(values: Floats, rng: Rng, keep: float, noise: float) -> Floats:
    return keep * values + noise * rng.normal(size=len(values))


class Telecom:
    """Prepaid: silence may only mean an empty balance; after an outage customers of the region leave for weeks."""

    name, known, leaving, per = "prepaid telecom", 420, "", 1
    churn = ChurnOptions(activity=["topped_up", "data_used"], horizon_days=30, active_within_days=30)

    def start(self, n: int, rng: Rng) -> State:
        self.outages = rng.random((self.known + self.churn.horizon_days + 1, 8)) < 0.004
        return {
            "joined": np.maximum(0, rng.integers(-300, self.known - 20, n)),
            "region": rng.integers(0, 8, n),
            "use": 0.9 * np.exp(0.7 * rng.normal(size=n)),
            "mood": rng.normal(size=n),
            "balance": rng.uniform(0, 100, n),
            "pack": rng.choice([50.0, 100.0, 200.0], n),
            "lazy": rng.uniform(0.08, 0.5, n),
            "outage": np.full(n, 99.0),
        }

    def chances(self, day: int, s: State, rng: Rng) -> tuple[Floats, Floats]:
        """The hazard of this day, and the chance that somebody who is here does nothing."""
        s["mood"] = drift(s["mood"], rng, 0.97, 0.25)
        s["outage"] = np.where(self.outages[day][s["region"]], 0, s["outage"] + 1)
        s["rate"] = np.where(s["balance"] > 0, s["use"] * np.exp(0.3 * s["mood"]), 0)
        s["tops"] = np.where(s["balance"] < 10, s["lazy"], 0.01)
        hazard = 0.0012 * np.exp(-0.6 * s["mood"]) * (1 + 5 * np.exp(-s["outage"] / 12))
        return hazard, np.exp(-s["rate"]) * (1 - s["tops"])

    def live(self, day: int, s: State, rng: Rng, tell: Callable[..., None]) -> NDArray[np.bool_]:
        """What everybody does on this day; who did anything?"""
        uses = rng.poisson(s["rate"])
        megabytes = np.where(uses > 0, rng.gamma(2, 3, len(uses)) * uses, 0)
        tops = rng.random(len(uses)) < s["tops"]
        tell("data_used", uses, lambda k: {"mb": round(float(megabytes[k] / uses[k]), 1)})
        tell("topped_up", tops, lambda k: {"pack": s["pack"][k], "balance": round(float(s["balance"][k]), 1)})
        tell("incident_declared", s["outage"] == 0, lambda k: {"region": f"R{s['region'][k]}"})
        s["balance"] = np.where(tops, s["balance"] + s["pack"], np.maximum(0, s["balance"] - megabytes))
        return np.asarray((uses > 0) | tops)

    def begun(self, s: State, k: int) -> tuple[str, dict[str, Any]]:
        return "registered", {"region": f"R{s['region'][k]}"}


class Streaming:
    """30, 90 or 180 days are paid ahead; some renew by themselves, and switch that off some weeks before they go."""

    name, known, leaving, per = "streaming, paid ahead", 500, "membership_expired", 1
    churn = ChurnOptions(
        definition="event",
        event="membership_expired",
        activity=[],
        returned_by=["subscription_started"],
        horizon_days=30,
        active_within_days=120,
    )

    def start(self, n: int, rng: Rng) -> State:
        paid, joined = rng.choice([30, 90, 180], n, p=[0.7, 0.2, 0.1]), rng.integers(0, self.known - 20, n)
        found = {"joined": joined, "paid": paid, "ends": joined + paid, "itself": rng.random(n) < 0.6}
        return found | {"liking": rng.normal(size=n), "taste": rng.normal(size=n), "off": np.zeros(n, bool)}

    def chances(self, day: int, s: State, rng: Rng) -> tuple[Floats, Floats]:
        s["liking"] = drift(s["liking"], rng, 0.985, 0.17)
        s["due"] = day == s["ends"]
        s["switches"] = s["itself"] & ~s["off"] & (rng.random(len(s["due"])) < 0.0015 * np.exp(-s["liking"]))
        s["off"] = s["off"] | s["switches"]
        stops = np.where(s["off"], 0.9, sigmoid(np.where(s["itself"], -4.5, -1.2) - s["liking"]))
        return np.where(s["due"], stops, 0.0), np.ones(len(stops))

    def live(self, day: int, s: State, rng: Rng, tell: Callable[..., None]) -> NDArray[np.bool_]:
        plays = rng.poisson(0.8 * np.exp(0.5 * s["liking"] + 0.4 * s["taste"]))
        skips = rng.binomial(plays * 3, sigmoid(-1 - 0.6 * s["liking"]))
        tell("auto_renewal_cancelled", s["switches"], lambda k: {})
        tell("songs_played", plays > 0, lambda k: {"num_25": int(skips[k]), "num_100": int(6 * plays[k])})
        tell("subscription_renewed", s["due"], lambda k: self.terms(s, k, day), 0.99)
        s["ends"], s["off"] = np.where(s["due"], s["ends"] + s["paid"], s["ends"]), s["off"] & ~s["due"]
        return np.asarray(plays > 0)

    def terms(self, s: State, k: int, day: int) -> dict[str, Any]:
        return {"expires_at": moment(float(day + s["paid"][k])), "auto_renew": bool(s["itself"][k])}

    def begun(self, s: State, k: int) -> tuple[str, dict[str, Any]]:
        return "subscription_started", self.terms(s, k, int(s["joined"][k]))


class Software:
    """Few accounts with many users each, asked once a year whether to go on."""

    name, known, leaving, per = "software for companies", 1_000, "subscription_cancelled", 10
    churn = ChurnOptions(definition="event", activity=[], horizon_days=90, active_within_days=180)

    def start(self, n: int, rng: Rng) -> State:
        begun = rng.integers(-300, self.known - 60, n)
        found = {"joined": np.maximum(0, begun), "begun": begun, "seats": rng.geometric(0.08, n) + 2}
        return found | {"health": rng.normal(size=n), "ticket": np.full(n, 400.0)}

    def chances(self, day: int, s: State, rng: Rng) -> tuple[Floats, Floats]:
        s["health"], s["ticket"] = drift(s["health"], rng, 0.995, 0.1), s["ticket"] + 1
        s["due"] = ((day - s["begun"]) % 365 == 0) & (day > s["begun"])
        stops = sigmoid(-1.7 - 1.2 * s["health"] + 1.2 * (s["ticket"] < 60))
        return np.where(s["due"], stops, 0.0), np.ones(len(stops))

    def live(self, day: int, s: State, rng: Rng, tell: Callable[..., None]) -> NDArray[np.bool_]:
        users = rng.binomial(s["seats"], 0.25 * sigmoid(0.5 + 0.9 * s["health"]) * (day % 3 == 0))
        bad = rng.random(len(users)) < 0.0024 * np.exp(-0.5 * s["health"])
        tell("user_logged_in", users, lambda k: {"user": f"U{rng.integers(0, s['seats'][k])}"})
        tell("support_ticket_opened", bad, lambda k: {"severity": 4})
        tell("support_ticket_opened", rng.random(len(users)) < 0.004, lambda k: {"severity": 1})
        tell("subscription_renewed", s["due"], lambda k: {"expires_at": moment(day + 365.0)}, 0.99)
        s["ticket"] = np.where(bad, 0, s["ticket"])
        return np.asarray(users > 0)

    def begun(self, s: State, k: int) -> tuple[str, dict[str, Any]]:
        return "subscription_started", {"expires_at": moment(float(s["begun"][k] + 365))}


World = Telecom | Streaming | Software


def drawn(world: World, customers: int, seed: int) -> Company:
    """Every day of this company until the horizon is over, and what could be foreseen on the last known day."""
    rng, events, truth = np.random.default_rng(seed), Events(), np.zeros(0)
    s = world.start(customers // world.per, rng)
    n = len(s["joined"])
    alive, here, gone = np.ones(n, bool), np.zeros(n), np.zeros(n)  # the last two: what an observer believes
    for day in range(world.known + world.churn.horizon_days + 1):
        if day == world.known:
            truth = foreseen(world, s, here, gone, np.random.default_rng(seed + 999))
        new = s["joined"] == day
        for k in np.flatnonzero(new):
            name, properties = world.begun(s, k)
            events.add(k, day + 0.01 * rng.random(), name, **properties)
        hazard, quiet = world.chances(day, s, rng)
        leaves = alive & (s["joined"] <= day) & (rng.random(n) < hazard)
        for k in np.flatnonzero(leaves) if world.leaving else ():
            events.add(k, day + 0.7, world.leaving)
        alive &= ~leaves
        acting = alive & (s["joined"] <= day)

        def tell(name: str, times: Any, of: Callable[[int], dict[str, Any]], since: float = 0.0) -> None:
            for k in np.repeat(np.arange(n), np.where(acting, times, 0)):  # noqa: B023
                events.add(k, day + rng.uniform(since, 1), name, **of(k))  # noqa: B023

        acted = (world.live(day, s, rng, tell) & acting) | new
        here, gone = here * (1 - hazard) * quiet, gone + here * hazard
        total = np.maximum(here + gone, 1e-300)
        here, gone = np.where(acted, 1.0, here / total), np.where(acted, 0.0, gone / total)
    chances = {f"C{k}": float(chance) for k, chance in enumerate(truth)}
    return Company(name=world.name, events=events, churn=world.churn, truth=chances, known=world.known)


def foreseen(world: World, s: State, here: Floats, gone: Floats, rng: Rng) -> Floats:
    """Everybody's chance to leave within the horizon, over copies of them that live on."""
    s = {name: np.repeat(values, COPIES, axis=0) for name, values in s.items()}
    if world.leaving:  # whoever leaves says so
        here, gone = np.ones(len(here)), np.zeros(len(gone))
    here, gone = np.repeat(here, COPIES), np.repeat(gone, COPIES)
    for day in range(world.known, world.known + world.churn.horizon_days):
        hazard, quiet = world.chances(day, s, rng)
        here, gone = here * (1 - hazard) * (1.0 if world.leaving else quiet), gone + here * hazard
        world.live(day, s, rng, lambda *told: None)
    left = gone if world.leaving else gone + here
    return np.asarray(left.reshape(-1, COPIES).mean(axis=1))


def by_day() -> dict[str, Callable[[int, int], Company]]:
    """Each company by its short name."""
    worlds: dict[str, type[World]] = {"telecom": Telecom, "streaming": Streaming, "software": Software}
    return {name: lambda customers, seed, kind=kind: drawn(kind(), customers, seed) for name, kind in worlds.items()}
