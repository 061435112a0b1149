"""Engagement: how often, how lately and how evenly does the customer come?"""

from __future__ import annotations

from features.ownclock import own_clock
from features.phrases import VISIT, Thing, active_days, in_window, plain, since
from features.signal import Measure, Row, Saying, Signal, days_between, ratio

SESSION = ("session_started",)
PAGE = ("page_viewed",)
HELP_PAGE = Thing("help page viewed", "help pages viewed", "हेल्प पेज खुला", "हेल्प पेज खुले")
PLAN_PAGE = Thing("plan page viewed", "plan pages viewed", "प्लान पेज खुला", "प्लान पेज खुले")
BILL_PAGE = Thing("bill page viewed", "bill pages viewed", "बिल पेज खुला", "बिल पेज खुले")
CANCEL_PAGE = Thing("cancel page view", "cancel page views", "बार बंद करने वाला पेज खुला", "बार बंद करने वाला पेज खुला")
WISH = Thing("wish-list product", "wish-list products", "प्रोडक्ट विश लिस्ट में", "प्रोडक्ट विश लिस्ट में")

MEASURES: tuple[Measure, ...] = (
    Measure(name="anything", events=("*",)),
    Measure(name="events", events=()),
    Measure(name="active_days", events=(), day_of="events"),
    Measure(name="weekend_events", events=(), where=lambda t: t.weekday >= 5),
    Measure(name="night_events", events=(), where=lambda t: (t.hour >= 22) | (t.hour < 6)),
    Measure(name="sessions", events=SESSION),
    Measure(name="session_days", events=SESSION, day_of="sessions"),
    Measure(name="session_minutes", events=SESSION, amount=lambda t: t.minutes),
    Measure(name="app_sessions", events=SESSION, where=lambda t: t.channel == "app"),
    Measure(name="pages", events=PAGE),
    Measure(name="help_pages", events=PAGE, where=lambda t: t.page == "help"),
    Measure(name="plan_pages", events=PAGE, where=lambda t: t.page == "plans"),
    Measure(name="bill_pages", events=PAGE, where=lambda t: t.page == "bill"),
    Measure(name="cancel_pages", events=PAGE, where=lambda t: t.page == "cancel"),
    Measure(name="wishes", events=("wishlist_added",)),
)


def signals() -> tuple[Signal, ...]:
    """Which signals describe engagement?"""
    return (*_activity(), *own_clock(prefix="visit", clock="active", measure="events", family="engagement", thing=VISIT, needs=()), *_sessions(), *_pages())


def _activity() -> list[Signal]:
    made = [
        Signal(
            name="days_since_last_activity", question="How long ago did they last do anything?", unit="days", family="engagement",
            no_data="null: never active", group="activity_recency", value=lambda t: days_between(t.cutoff_us, t.events_last),
            say=since(VISIT, "median_days_between_visits"),
        ),
        Signal(
            name="days_since_first_event", question="How long have we known them?", unit="days", family="engagement",
            no_data="never null", group="tenure", value=lambda t: days_between(t.cutoff_us, t.anything_first),
            say=plain("With us for {d} days", "{d} दिन से हमारे साथ"),
        ),
        Signal(
            name="mean_age_of_active_days", question="How long ago, on average, were their active days?", unit="days",
            family="engagement", no_data="null: never active", group="activity_level",
            value=lambda t: ratio(t.active_days_age, t.active_days_all),
        ),
    ]
    for window in (7, 14, 30, 60, 90, 180, 365):
        made.append(Signal(
            name=f"active_days_{window}d", question=f"On how many of the last {window} days were they active?", unit="days",
            family="engagement", no_data="0", group="activity_level", value=lambda t, w=window: getattr(t, f"active_days_{w}"),
            say=active_days(window),
        ))
    made.append(Signal(
        name="active_days_ever", question="On how many days have they ever been active?", unit="days", family="engagement",
        no_data="0", group="activity_level", value=lambda t: t.active_days_all,
        say=plain("Active on {n} days so far", "अब तक {n} दिन आए"),
    ))
    for half_life in (30, 90, 180):
        made.append(Signal(
            name=f"active_days_decayed_{half_life}d",
            question=f"How many active days, each counting half for every {half_life} days of age?", unit="days",
            family="engagement", no_data="0", group="activity_level",
            value=lambda t, h=half_life: getattr(t, f"active_days_decay_{h}").cast("float64") / float(1 << 40),
        ))
    for window in (30, 90):
        made.append(Signal(
            name=f"activities_{window}d", question=f"How many things did they do in the last {window} days?", unit="events",
            family="engagement", no_data="0", group="activity_level", value=lambda t, w=window: getattr(t, f"events_{w}"),
            say=in_window(Thing("activity", "activities", "गतिविधि", "गतिविधियां"), window),
        ))
    made += [
        Signal(
            name=f"active_days_change_{window}d", family="engagement", unit="days", no_data="0", group="activity_trend",
            question=f"How many more active days in the last {window} days than in the {window} before?",
            value=lambda t, w=window: 2 * getattr(t, f"active_days_{w}") - getattr(t, f"active_days_{2 * w}"),
            say=_fewer_days(window),
        )
        for window in (7, 14, 30, 90)
    ]
    made += [
        Signal(
            name="activity_short_to_long", family="engagement", unit="ratio", no_data="null: never active", group="activity_trend",
            question="How does activity of the last weeks compare with that of the last half-year?",
            value=lambda t: ratio(t.active_days_decay_30, t.active_days_decay_180),
        ),
        Signal(
            name="active_days_per_30d_of_tenure", family="engagement", unit="days per 30 days", no_data="0", group="activity_level",
            question="How many active days per 30 days that they have been with us, over the last 90?",
            value=lambda t: 30.0 * t.active_days_90 / days_between(t.cutoff_us, t.anything_first).clip(1.0, 90.0),
            say=plain("Active on about {n} days a month", "महीने में करीब {n} दिन आते हैं"),
        ),
        Signal(
            name="weekly_slope_of_active_days", family="engagement", unit="days per week", no_data="0", group="activity_trend",
            question="By how much do active days grow or shrink from week to week, over four weeks?",
            # Least squares over weeks at 3, 2, 1, 0 back: the weights are the centred positions over their squares.
            value=lambda t: (
                3 * t.active_days_7
                + 1 * (t.active_days_14 - t.active_days_7)
                - 1 * (t.active_days_21 - t.active_days_14)
                - 3 * (t.active_days_28 - t.active_days_21)
            ) / 10.0,
        ),
        Signal(
            name="weekend_share_180d", family="engagement", unit="share", no_data="null: not active", group="activity_clock",
            question="What share of the last 180 days' activity was on a weekend (UTC)?",
            value=lambda t: ratio(t.weekend_events_180, t.events_180),
        ),
        Signal(
            name="night_share_180d", family="engagement", unit="share", no_data="null: not active", group="activity_clock",
            question="What share of the last 180 days' activity was between 22 and 6 o'clock (UTC)?",
            value=lambda t: ratio(t.night_events_180, t.events_180),
        ),
        Signal(
            name="weekend_share_shift", family="engagement", unit="share", no_data="null: not active", group="activity_clock",
            question="How has the weekend's share moved in the last 30 days against the last 180?",
            value=lambda t: ratio(t.weekend_events_30, t.events_30) - ratio(t.weekend_events_180, t.events_180),
        ),
    ]
    return made


def _fewer_days(window: int) -> Saying:
    def say(value: float, row: Row) -> tuple[str, str] | None:
        now = row.get(f"active_days_{window}d")
        if now is None:
            return None
        before = now - value
        return (
            f"Active {whole_days(now)} in {window} days, {round(before)} in the {window} before",
            f"{window} दिन में {round(now)} दिन आए, उससे पहले {round(before)} दिन",
        )

    return say


def whole_days(days: float) -> str:
    """How many days, in words?"""
    return "1 day" if round(days) == 1 else f"{round(days)} days"


def _sessions() -> list[Signal]:
    made = [
        Signal(
            name=f"sessions_{window}d", question=f"How many visits to web or app in the last {window} days?", unit="sessions",
            family="engagement", no_data="0; null if the log has no sessions", needs=SESSION, group="activity_level",
            value=lambda t, w=window: getattr(t, f"sessions_{w}"), say=in_window(VISIT, window),
        )
        for window in (7, 30, 90)
    ]
    made += [
        Signal(
            name="days_since_last_session", question="How long ago was the last visit to web or app?", unit="days",
            family="engagement", no_data="null: no visit yet", needs=SESSION, group="activity_recency",
            value=lambda t: days_between(t.cutoff_us, t.sessions_last), say=since(VISIT, "median_days_between_visits"),
        ),
        Signal(
            name="minutes_per_session_90d", question="How many minutes did a visit of the last 90 days last?", unit="minutes",
            family="engagement", no_data="null: no visit", needs=SESSION, group="session_depth",
            value=lambda t: ratio(t.session_minutes_90, t.sessions_90),
            say=plain("About {n} minutes a visit in 90 days", "90 दिन में हर विज़िट करीब {n} मिनट की"),
        ),
        Signal(
            name="minutes_per_session_change", question="How much shorter or longer are visits of 30 days than of 90?",
            unit="ratio", family="engagement", no_data="null: no visit", needs=SESSION, group="session_depth",
            value=lambda t: ratio(t.session_minutes_30, t.sessions_30) / ratio(t.session_minutes_90, t.sessions_90).nullif(0.0),
        ),
        Signal(
            name="app_share_90d", question="What share of the last 90 days' visits was in the app?", unit="share",
            family="engagement", no_data="null: no visit", needs=SESSION, group="channel_mix",
            value=lambda t: ratio(t.app_sessions_90, t.sessions_90),
            say=plain("{p}% of visits in 90 days were in the app", "90 दिन में {p}% विज़िट ऐप में"),
        ),
        Signal(
            name="pages_per_session_90d", question="How many pages did a visit of the last 90 days see?", unit="pages",
            family="engagement", no_data="null: no visit", needs=SESSION, group="session_depth",
            value=lambda t: ratio(t.pages_90, t.sessions_90),
            say=plain("About {n} pages a visit in 90 days", "90 दिन में हर विज़िट में करीब {n} पेज"),
        ),
    ]
    return made


def _pages() -> list[Signal]:
    asked = (
        ("help_pages", (14, 60), "help_reading", "help pages", HELP_PAGE),
        ("plan_pages", (30,), "plan_shopping", "plan pages", PLAN_PAGE),
        ("bill_pages", (30,), "bill_reading", "bill pages", BILL_PAGE),
        ("cancel_pages", (30, 90), "leaving_page", "pages about leaving", CANCEL_PAGE),
    )
    made = [
        Signal(
            name=f"{measure}_{window}d", question=f"How many {words} did they view in the last {window} days?", unit="pages",
            family="engagement", no_data="0; null if the log has no page views", needs=PAGE, group=group,
            value=lambda t, m=measure, w=window: getattr(t, f"{m}_{w}"), say=in_window(thing, window),
        )
        for measure, windows, group, words, thing in asked
        for window in windows
    ]
    made.append(Signal(
        name="days_since_cancel_page", question="How long ago did they last look at the page about leaving?", unit="days",
        family="engagement", no_data="null: never", needs=PAGE, group="leaving_page",
        value=lambda t: days_between(t.cutoff_us, t.cancel_pages_last),
        say=plain("Saw the cancel page {d} days ago", "{d} दिन पहले बंद करने का पेज देखा"),
    ))
    made.append(Signal(
        name="wishes_60d", question="How many products did they put on the wish list in the last 60 days?", unit="products",
        family="engagement", no_data="0; null if the log has no wish lists", needs=("wishlist_added",), group="wish_list",
        value=lambda t: t.wishes_60, say=in_window(WISH, 60),
    ))
    return made
