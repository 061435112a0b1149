"""The model for use: fitted on all that is finished, at the level of today. Who is scored with it, by which signals?"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from training.examples import Examples
from training.judging import Judged, final_scorer
from training.labels import TrainingOptions, eligible
from training.lots import lot
from training.model import matrix
from training.scorers import Scorer
from training.season import in_season

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

# The level of everybody is told well enough from so many.
MOST_FOR_THE_LEVEL = 20_000


def signals_today(log: EventLog, examples: Examples, as_of: datetime, most: int | None = None) -> pa.Table:
    """The signals of everybody eligible at `as_of`, or of about `most` of them drawn by lot."""
    from features.build import build_signals

    who = eligible(log, [as_of], examples.churn)[as_of]
    if most is not None and len(who) > most:
        who = [customer for customer in who if lot("level", 0, customer) < most / len(who)]
    readings = examples.text.reader.readings(log, as_of, who) if examples.text.reader else None
    return build_signals(log, [as_of], fitted=examples.fitted, customers=who, readings=readings)


def scorer_today(
    log: EventLog, examples: Examples, judged: Judged, training: TrainingOptions, as_of: datetime
) -> Scorer:
    """The winner's kind for use, at the level of the year before where that came truer (`training.season`)."""
    scorer = final_scorer(examples, judged, training)
    if as_of not in judged.shares:
        return scorer
    X = matrix(signals_today(log, examples, as_of, MOST_FOR_THE_LEVEL), examples.signal_names)
    return in_season(scorer, scorer.predict(X), judged.shares[as_of])
