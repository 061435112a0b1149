"""When may this message go out, in the customer's own day?

Everything is judged by the customer's clock: the play's hours, the quiet hours, the spread over the evening. A person
whose zone is unknown has the company's. Zones jump twice a year; the arithmetic is done on wall-clock times and turned
into instants last.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

REVIEW_AT_LEAST = timedelta(hours=1)  # a list planned later than this before the deadline is due the next day
URGENT_REVIEW = timedelta(hours=2)  # for plays that are of use only while fresh
STEP = timedelta(minutes=5)


def zone(name: str | None, otherwise: str) -> ZoneInfo:
    """The customer's zone, or the company's if it is missing or not one."""
    try:
        return ZoneInfo(name or otherwise)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(otherwise)


def decide_by(now: datetime, at: time, company: ZoneInfo) -> datetime:
    """The next time the clock shows `at` that leaves an hour to review.

    >>> decide_by(datetime(2026, 11, 21, 0, 30, tzinfo=UTC), time(18), ZoneInfo("Asia/Kolkata")).isoformat()
    '2026-11-21T12:30:00+00:00'
    >>> decide_by(datetime(2026, 11, 21, 12, 0, tzinfo=UTC), time(18), ZoneInfo("Asia/Kolkata")).isoformat()
    '2026-11-22T12:30:00+00:00'
    """
    day = now.astimezone(company).date()
    due = _instant(day, at, company)
    return due if due - now >= REVIEW_AT_LEAST else _instant(day + timedelta(days=1), at, company)


def send_time(
    earliest: datetime,
    hours: tuple[time, time],
    quiet: tuple[time, time],
    customer: ZoneInfo,
    spread_by: str,
    *,
    at_once: bool = False,
) -> datetime | None:
    """The moment inside the play's hours, outside the quiet ones, not before `earliest`; None: the hours never meet.

    Messages are spread evenly over what is left of the window by a hash of `spread_by`, so that two plannings agree and
    nobody can be pushed out by others; `at_once` takes the window's first moment instead.
    """
    start = max(hours[0], quiet[1]) if quiet[1] <= quiet[0] else hours[0]
    end = min(hours[1], quiet[0]) if quiet[1] <= quiet[0] else hours[1]
    if start >= end:
        return None
    day = earliest.astimezone(customer).date()
    for later in range(3):
        first = max(_instant(day + timedelta(days=later), start, customer), _rounded_up(earliest))
        last = _instant(day + timedelta(days=later), end, customer)
        if first + STEP <= last:
            if at_once:
                return first
            steps = (last - first) // STEP
            return first + (int(hashlib.sha256(spread_by.encode()).hexdigest()[:12], 16) % steps) * STEP
    return None


def is_quiet(moment: datetime, quiet: tuple[time, time], customer: ZoneInfo) -> bool:
    """Does the customer's clock show quiet hours? They may run over midnight.

    >>> night = (time(21), time(9))
    >>> is_quiet(datetime(2026, 11, 21, 15, 30, tzinfo=UTC), night, ZoneInfo("Asia/Kolkata"))  # 21:00 there
    True
    >>> is_quiet(datetime(2026, 11, 21, 15, 29, tzinfo=UTC), night, ZoneInfo("Asia/Kolkata"))
    False
    """
    clock = moment.astimezone(customer).time()
    start, end = quiet
    return (clock >= start or clock < end) if start > end else start <= clock < end


def _instant(day: date, at: time, place: ZoneInfo) -> datetime:
    return datetime.combine(day, at, place).astimezone(UTC)


def _rounded_up(moment: datetime) -> datetime:
    over = (moment - datetime(1970, 1, 1, tzinfo=UTC)) % STEP
    return moment.astimezone(UTC) + (STEP - over if over else timedelta())
