"""Whose future did we change ourselves? Everybody planned for a play that has a comparison group, with their arm.

Counted as `pehle results` counts: on lists of which something went out, everyone planned, reached or not, since who
would have been declined or stopped on the way is not known of the comparison group.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine, select

from records.tables import outreach

if TYPE_CHECKING:
    import pyarrow as pa


def treatments(engine: Engine, until: datetime) -> pa.Table:
    """customer_id, play, at (the planned hour, before `until`), treated, propensity; sorted, so that it can be hashed.

    A play that writes to everybody it fits is part of how the company is, now and later: it changes nobody's label
    against what the score will be about, and is not here.
    """
    import pyarrow as pa

    c = outreach.c
    went_out = select(c.list_id, c.play).where(c.fenced_at.is_not(None)).distinct().subquery()
    query = (
        select(c.customer_id, c.play, c.send_at, c.arm, c.propensity)
        .join(went_out, (went_out.c.list_id == c.list_id) & (went_out.c.play == c.play))
        .where(c.propensity > 0, c.propensity < 1, c.send_at < until)
    )
    with engine.connect() as connection:
        rows = sorted(tuple(row) for row in connection.execute(query))
    return pa.table(
        {
            "customer_id": pa.array([row[0] for row in rows], pa.string()),
            "play": pa.array([row[1] for row in rows], pa.string()),
            "at": pa.array([row[2] for row in rows], pa.timestamp("us", "UTC")),
            "treated": pa.array([row[3] == "treated" for row in rows], pa.bool_()),
            "propensity": pa.array([row[4] for row in rows], pa.float64()),
        }
    )
