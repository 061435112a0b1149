"""Should the model be trained again? Reasons that are more than drift: it was wrong, the log changed, it is old.

    loss      the scores that have matured are worse than they were when the model was judged, beyond both intervals
    useless   or no better than the same risk for everybody
    level     clearly more, or fewer, left than foreseen
    schema    a frequent event no longer comes, or a new one does
    calendar  nobody has trained for a while

Drift of signals is shown beside them and asks for nothing by itself: most drift does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from training.maturity import Matured

Code = Literal["loss", "useless", "level", "schema", "calendar"]
OLDEST = timedelta(days=45)  # trained longer ago than this
WIDEST_LEVEL = 0.2  # log-odds: about a fifth more or fewer than foreseen


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """One reason to train again, with the figures its sentence needs."""

    code: Code
    values: Mapping[str, float | str]


def triggers(
    *,
    matured: Matured | None,
    judged_high: float | None,
    events_gone: Sequence[str],
    events_new: Sequence[str],
    trained_at: datetime,
    now: datetime,
) -> list[Trigger]:
    """Every reason that holds, the gravest first.

    `matured` are the newest figures of this model, `judged_high` the upper end of its log loss when it was judged.
    """
    found = []
    if matured is not None:
        found += _wrong(matured, judged_high)
    if events_gone or events_new:
        found.append(Trigger(code="schema", values={"gone": ", ".join(events_gone), "new": ", ".join(events_new)}))
    if now - trained_at > OLDEST:
        found.append(Trigger(code="calendar", values={"days": (now - trained_at).days}))
    return found


def _wrong(matured: Matured, judged_high: float | None) -> list[Trigger]:
    """What the scores that have matured say."""
    loss, found = matured.log_loss, []
    if judged_high is not None and loss.low > judged_high:
        values = {"now": loss.value, "then": judged_high}
        found.append(Trigger(code="loss", values=values))
    if loss.low > matured.everybody_log_loss:
        found.append(Trigger(code="useless", values={"now": loss.value, "everybody": matured.everybody_log_loss}))
    shift = matured.intercept
    if (shift.low > 0 or shift.high < 0) and abs(shift.value) > WIDEST_LEVEL:
        values = {"left": matured.left_share, "foreseen": matured.predicted_share}
        found.append(Trigger(code="level", values=values))
    return found
