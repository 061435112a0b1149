"""Messaging: what did we write to them, and did they care? Opens by scanners and proxies do not count."""

from __future__ import annotations

from functools import partial

from features.phrases import in_window, plain
from features.signal import Measure, Signal, column, days_since, per, ratio
from features.things import MESSAGE

MESSAGES = ("message_sent", "message_opened", "message_clicked", "message_replied", "message_unsubscribed")

MEASURES: tuple[Measure, ...] = (
    Measure(name="sent", events=MESSAGES, where=lambda t: t.name == "message_sent"),
    Measure(name="opened", events=MESSAGES, where=lambda t: (t.name == "message_opened") & ~t.machine),
    Measure(name="clicked", events=MESSAGES, where=lambda t: (t.name == "message_clicked") & ~t.machine),
    Measure(name="replied", events=MESSAGES, where=lambda t: t.name == "message_replied"),
    Measure(name="unsubscribed", events=MESSAGES, where=lambda t: t.name == "message_unsubscribed"),
)

NEVER_OPENED = ("No message of ours opened in 90 days", "90 दिन में हमारा कोई मैसेज नहीं खोला")
NEVER_CLICKED = ("No click in our messages in 90 days", "90 दिन में हमारे मैसेज पर कोई क्लिक नहीं")

_message = partial(Signal, family="messaging", needs=("message_sent",), no_data="0", unit="messages")


def signals() -> tuple[Signal, ...]:
    """Which signals describe our messages?"""
    return (
        *(
            _message(
                name=f"messages_{window}d",
                question=f"How many messages did we send them in {window} days?",
                group="message_load",
                value=column(f"sent_{window}"),
                say=in_window(MESSAGE, window),
            )
            for window in (7, 30, 90)
        ),
        _message(
            name="days_since_last_message",
            question="How long ago did we last write to them?",
            unit="days",
            no_data="null: never",
            group="message_load",
            value=days_since("sent_last"),
            say=plain("Our last message {d} days ago", "हमारा पिछला मैसेज {d} दिन पहले"),
        ),
        _message(
            name="message_opens_90d",
            question="How often did they open a message in 90 days?",
            unit="opens",
            group="message_interest",
            value=column("opened_90"),
            say=plain("{n} opens of our messages in 90 days", "90 दिन में हमारे मैसेज {n} बार खोले", NEVER_OPENED),
        ),
        _message(
            name="message_clicks_90d",
            question="How often did they click in a message in 90 days?",
            unit="clicks",
            group="message_interest",
            value=column("clicked_90"),
            say=plain("{n} clicks in our messages in 90 days", "90 दिन में हमारे मैसेज पर {n} क्लिक", NEVER_CLICKED),
        ),
        _message(
            name="message_replies_180d",
            question="How many replies did they send in 180 days?",
            unit="replies",
            group="message_interest",
            value=column("replied_180"),
            say=plain(
                "Replied {n} times in 180 days",
                "180 दिन में {n} बार जवाब दिया",
                ("No reply in 180 days", "180 दिन में कोई जवाब नहीं"),
            ),
        ),
        _message(
            name="open_share_90d",
            question="How many opens for each message of 90 days?",
            unit="share",
            no_data="null: none sent",
            group="message_interest",
            value=per("opened_90", "sent_90"),
        ),
        _message(
            name="click_share_180d",
            question="How many clicks for each message of 180 days?",
            unit="share",
            no_data="null: none sent",
            group="message_interest",
            value=per("clicked_180", "sent_180"),
        ),
        _message(
            name="messages_less_opens_30d",
            question="How many more messages than opens in 30 days?",
            group="message_interest",
            value=lambda t: t.sent_30 - t.opened_30,
        ),
        _message(
            name="ignored_share_30d",
            question="What share of the messages of 30 days is not matched by an open?",
            unit="share",
            no_data="null: none sent",
            group="message_interest",
            value=lambda t: ratio(t.sent_30 - t.opened_30, t.sent_30).clip(0.0, None),
            say=lambda value, row: (
                plain("{p}% of our messages in 30 days ignored", "30 दिन में हमारे {p}% मैसेज नहीं खोले")(value, row)
                if value > 0
                else None
            ),
        ),
        _message(
            name="open_share_change",
            question="How many more opens a message in 30 days than in 180?",
            unit="opens",
            no_data="null: none sent in 30 days",
            group="message_interest",
            value=lambda t: ratio(t.opened_30, t.sent_30) - ratio(t.opened_180, t.sent_180),
        ),
        _message(
            name="messages_7d_share_of_90d",
            question="What share of the messages of 90 days came in the last 7?",
            unit="share",
            no_data="null: none sent",
            group="message_load",
            value=per("sent_7", "sent_90"),
        ),
        _message(
            name="days_since_message_opened",
            question="How long ago did they last open a message?",
            unit="days",
            no_data="null: never",
            group="message_interest",
            value=days_since("opened_last"),
            say=plain("Last opened a message {d} days ago", "पिछला मैसेज {d} दिन पहले खोला"),
        ),
        _message(
            name="unsubscribes_ever",
            question="How often did they unsubscribe?",
            unit="times",
            group="unsubscribed",
            value=column("unsubscribed_all"),
            say=lambda value, row: ("Unsubscribed from messages", "मैसेज बंद करवाए") if value else None,
        ),
    )
