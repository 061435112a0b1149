"""Visits: what do they do on web and app, and which pages do they look for?"""

from __future__ import annotations

from functools import partial

from features.phrases import in_window, plain, since
from features.signal import Measure, Signal, change, column, days_since, per, per_30_days, ratio
from features.things import BILL_PAGE, CANCEL_PAGE, HELP_PAGE, PLAN_PAGE, VISIT, WISH

SESSION = ("session_started",)
PAGE = ("page_viewed",)
WISHES = ("wishlist_added",)

MEASURES: tuple[Measure, ...] = (
    Measure(name="sessions", events=SESSION),
    Measure(name="session_minutes", events=SESSION, amount=lambda t: t.minutes),
    Measure(name="app_sessions", events=SESSION, where=lambda t: t.channel == "app"),
    Measure(name="pages", events=PAGE),
    Measure(name="product_pages", events=PAGE, where=lambda t: t.page == "product"),
    Measure(name="help_pages", events=PAGE, where=lambda t: t.page == "help"),
    Measure(name="plan_pages", events=PAGE, where=lambda t: t.page == "plans"),
    Measure(name="bill_pages", events=PAGE, where=lambda t: t.page == "bill"),
    Measure(name="cancel_pages", events=PAGE, where=lambda t: t.page == "cancel"),
    Measure(name="leaving_pages", events=PAGE, where=lambda t: t.page.isin(("plans", "cancel"))),
    Measure(name="wishes", events=WISHES),
)

_session = partial(Signal, family="visits", needs=SESSION, no_data="null: no visit")
_page = partial(Signal, family="visits", needs=PAGE, unit="pages")


def signals() -> tuple[Signal, ...]:
    """Which signals describe visits?"""
    return (*_sessions(), *_pages())


def _sessions() -> list[Signal]:
    return [
        *(
            _session(
                name=f"sessions_{window}d",
                question=f"How many visits to web or app in the last {window} days?",
                unit="visits",
                no_data="0",
                group="activity_level",
                value=column(f"sessions_{window}"),
                say=in_window(VISIT, window),
            )
            for window in (7, 30, 90)
        ),
        _session(
            name="sessions_per_30d_of_tenure",
            question="How many visits per 30 days that we have known them, over the last 90?",
            unit="visits per 30 days",
            no_data="0",
            group="activity_level",
            value=per_30_days("sessions_90"),
        ),
        _session(
            name="sessions_change_30d",
            question="How many more visits in 30 days than in the 30 before?",
            unit="visits",
            no_data="0",
            group="activity_trend",
            value=change("sessions", 30),
        ),
        _session(
            name="days_since_last_session",
            question="How long ago was the last visit to web or app?",
            unit="days",
            group="activity_recency",
            value=days_since("sessions_last"),
            say=since(VISIT),
        ),
        _session(
            name="minutes_per_session_90d",
            question="How many minutes did a visit of the last 90 days last?",
            unit="minutes",
            group="session_depth",
            value=per("session_minutes_90", "sessions_90"),
            say=plain("About {n} minutes a visit in 90 days", "90 दिन में हर विज़िट करीब {n} मिनट की"),
        ),
        _session(
            name="minutes_per_session_30d_to_90d",
            question="How do minutes a visit of 30 days compare with 90?",
            unit="ratio",
            group="session_depth",
            value=lambda t: (
                ratio(t.session_minutes_30, t.sessions_30) / ratio(t.session_minutes_90, t.sessions_90).nullif(0.0)
            ),
        ),
        _session(
            name="app_share_90d",
            question="What share of the last 90 days' visits was in the app?",
            unit="share",
            group="channel_mix",
            value=per("app_sessions_90", "sessions_90"),
            say=plain("{p}% of visits in 90 days were in the app", "90 दिन में {p}% विज़िट ऐप में"),
        ),
        _session(
            name="pages_per_session_90d",
            question="How many pages did a visit of the last 90 days see?",
            unit="pages",
            needs=PAGE,
            group="session_depth",
            value=per("pages_90", "sessions_90"),
            say=plain("About {n} pages a visit in 90 days", "90 दिन में हर विज़िट में करीब {n} पेज"),
        ),
    ]


def _pages() -> list[Signal]:
    asked = (
        ("help_pages", (14, 60), "help_reading", "help pages", HELP_PAGE),
        ("plan_pages", (30, 90), "plan_shopping", "plan pages", PLAN_PAGE),
        ("bill_pages", (30,), "bill_reading", "bill pages", BILL_PAGE),
        ("cancel_pages", (30, 90), "leaving_page", "pages about leaving", CANCEL_PAGE),
    )
    return [
        *(
            _page(
                name=f"{measure}_{window}d",
                question=f"How many {words} did they view in the last {window} days?",
                no_data="0",
                group=group,
                value=column(f"{measure}_{window}"),
                say=in_window(thing, window),
            )
            for measure, windows, group, words, thing in asked
            for window in windows
        ),
        _page(
            name="help_share_of_pages_60d",
            question="What share of the pages of 60 days was help?",
            unit="share",
            no_data="null: no pages",
            group="help_reading",
            value=per("help_pages_60", "pages_60"),
        ),
        *(
            _page(
                name=f"leaving_share_of_pages_{window}d",
                question=f"What share of the pages of {window} days was about plans or about leaving?",
                unit="share",
                no_data="null: no pages",
                group="leaving_interest",
                value=per(f"leaving_pages_{window}", f"pages_{window}"),
                say=plain(
                    f"{{p}}% of pages in {window} days were about plans or leaving",
                    f"{window} दिन में {{p}}% पेज प्लान या बंद करने के",
                ),
            )
            for window in (14, 30)
        ),
        _page(
            name="product_share_of_pages_60d",
            question="What share of the pages of 60 days was products?",
            unit="share",
            no_data="null: no pages",
            group="shop_interest",
            value=per("product_pages_60", "pages_60"),
        ),
        _page(
            name="days_since_cancel_page",
            question="How long ago did they last look at the page about leaving?",
            unit="days",
            no_data="null: never",
            group="leaving_page",
            value=days_since("cancel_pages_last"),
            say=plain("Saw the cancel page {d} days ago", "{d} दिन पहले बंद करने का पेज देखा"),
        ),
        _page(
            name="wishes_60d",
            question="How many products went on their wish list in the last 60 days?",
            unit="products",
            needs=WISHES,
            no_data="0",
            group="wish_list",
            value=column("wishes_60"),
            say=in_window(WISH, 60),
        ),
    ]
