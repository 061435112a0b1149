"""What time was it where the company is? Offsets from UTC as plain arithmetic, changes of the clocks included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)
"""Before and after these moments the offset is that of the moment."""

Change = tuple[int, int]


@cache
def changes(timezone: str) -> tuple[Change, ...]:
    """When does the offset of this zone change, and to what? Microseconds since 1970 and of the offset; the first is
    what holds from the beginning of time.
    """
    zone = ZoneInfo(timezone)

    def offset(moment: datetime) -> int:
        return (moment.astimezone(zone).utcoffset() or timedelta(0)) // timedelta(microseconds=1)

    found = [(0, offset(FIRST))]
    step = timedelta(days=7)  # no zone has changed its clocks and changed them back within a week
    moment = FIRST
    while moment < LAST:
        if offset(moment + step) != found[-1][1]:
            low, high = moment, moment + step
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                middle -= timedelta(microseconds=middle.microsecond)
                low, high = (low, middle) if offset(middle) != found[-1][1] else (middle, high)
            found.append(((high - FIRST) // timedelta(microseconds=1), offset(high)))
        moment += step
    return tuple(found)


def local_us_sql(timezone: str) -> str:
    """SQL of column `us` in local time: microseconds that a clock on the company's wall shows since 1970."""
    return f"(us + {_offset_sql(changes(timezone))})"


def _offset_sql(found: tuple[Change, ...]) -> str:
    """Halved at each step: a zone with a hundred changes costs seven comparisons."""
    if len(found) == 1:
        return str(found[0][1])
    middle = len(found) // 2
    before, since = _offset_sql(found[:middle]), _offset_sql(found[middle:])
    return f"case when us < {found[middle][0]} then {before} else {since} end"
