"""Do as many leave as a year before? The level of a business with seasons, from the same weeks of the year before.

A fit over the months before knows who leaves sooner than whom, but its level is that of those months: before the quiet
after a feast it foresees too few leavers, before the feast too many. How many did leave at the same time of the year
before is often known. Whether that comes truer than the level of the fit is asked at earlier cutoffs, where both can be
compared with what came; only then is it used. The order of customers stays what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from training.calibration import fit_shift
from training.evaluation import Floats, log_loss
from training.labels import ChurnOptions, TrainingOptions, churn_labels
from training.scorers import Scorer
from training.time_slices import Slices, history
from training.untreated import untreated
from training.walk import MOST_STEPS, Rehearsal, steady

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

# Whole weeks, so that a Saturday is compared with a Saturday.
YEAR = timedelta(days=364)
# A share of fewer leavers or stayers than this is too uncertain to be anybody's level.
FEWEST_OF_EACH = 20
# At how many earlier cutoffs must the year before be asked, and how much log loss must it gain on average? Where
# nothing turns with the year it gains and loses a thousandth now and then.
FEWEST_ASKED, WORTH = 3, 0.005


def labels_a_year_before(
    log: EventLog,
    as_of: datetime,
    first: datetime,
    slices: Slices,
    churn: ChurnOptions,
    training: TrainingOptions,
    treatments: pa.Table | None,
) -> pa.Table | None:
    """Who left a year before the newest finished cutoffs and before `as_of`: rows as `churn_labels` gives them.

    `cutoff` is the moment a year earlier. Rows count as they do in the examples (`training.untreated`). None where the
    log, which begins at `first`, is too short to say, or the labels are the company's own and know only their moments.
    """
    asked = [*slices.finished[-MOST_STEPS:], as_of]
    before = [moment - YEAR for moment in asked if moment - YEAR >= first + history(churn)]
    if churn.definition == "imported" or churn.span > YEAR or len(before) <= FEWEST_ASKED:
        return None
    labels = churn_labels(log, before, churn, as_of, training.threads)
    copies = untreated(labels, treatments, churn, training.seed).copies
    return labels.take(np.repeat(np.arange(labels.num_rows), copies))


def shares_of(labels: pa.Table | None) -> dict[datetime, float]:
    """By moment: which share of the customers left a year before it. Moments with too few of either are left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if labels is None:
        return {}
    left = labels.column("left_us").to_numpy().astype(bool)
    cutoffs = labels.column("cutoff")
    moments: list[datetime] = cutoffs.unique().to_pylist()  # type: ignore[assignment]  # never null
    place = pc.index_in(cutoffs, value_set=pa.array(moments, cutoffs.type)).to_numpy()
    found = {}
    for number, moment in enumerate(moments):
        here = left[place == number]
        if min(here.sum(), len(here) - here.sum()) >= FEWEST_OF_EACH:
            found[moment + YEAR] = float(here.mean())
    return found


def at_share(p: Floats, share: float) -> Floats:
    """The same odds times a number for everybody, so that this share is foreseen to leave."""
    return fit_shift(np.full(len(p), share), p).apply(p)


def gain(rehearsal: Rehearsal, kind: str, share: float) -> float:
    """How much less log loss a candidate had at this cutoff with the level of the year before."""
    p = rehearsal.scores[kind]
    return log_loss(rehearsal.y, p) - log_loss(rehearsal.y, at_share(p, share))


def comes_truer(rehearsals: Sequence[Rehearsal], shares: Mapping[datetime, float], slices: Slices, kind: str) -> bool:
    """Is the level of the year before the better one, and known for today?

    It was so at the cutoffs whose outcome was known when the judging one came, and clearly so; and the judging one does
    not take back what they gained on average.
    """
    (judge,) = slices.judge
    gains = {one.cutoff: gain(one, kind, shares[one.cutoff]) for one in rehearsals if one.cutoff in shares}
    past = [found for cutoff, found in gains.items() if cutoff + slices.horizon <= judge]
    if judge not in gains or max(shares) <= judge or len(past) < FEWEST_ASKED:
        return False
    return steady(past) and float(np.mean(past)) > max(WORTH, -gains[judge])


def at_level_of(rehearsals: Sequence[Rehearsal], shares: Mapping[datetime, float]) -> list[Rehearsal]:
    """The rehearsals as they would have been with the level of the year before, where it is known."""
    return [
        replace(one, scores={name: at_share(p, shares[one.cutoff]) for name, p in one.scores.items()})
        if one.cutoff in shares
        else one
        for one in rehearsals
    ]


def in_season(scorer: Scorer, p: Floats, share: float) -> Scorer:
    """The scorer moved to the level at which this share is foreseen to leave, of customers for whom it says `p`."""
    moved = fit_shift(np.full(len(p), share), p).coefficients[2]
    return replace(scorer, calibration=replace(scorer.calibration, level=scorer.calibration.level + moved))


def season_notes(shares: Mapping[datetime, float]) -> tuple[str, ...]:
    """What to say where the level is that of the year before. `shares` as `shares_of` gives them; empty: it is not."""
    if not shares:
        return ()
    newest = max(shares)
    then = f"{shares[newest]:.1%} left after {newest - YEAR:%-d %b %Y}"
    return (f"the level is that of the year before, which came truer at earlier cutoffs than their own fits: {then}",)
