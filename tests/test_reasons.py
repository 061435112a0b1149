"""Reasons are true sentences of the value given, in English and spoken Hindi, and no two tell the same story."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from features.catalog import catalog
from features.fitted import Fitted
from features.reasons import LONGEST, group_of, sayable, sentence, top_reasons
from features.vocabulary import Vocabulary

WORDS = Fitted(
    words=Vocabulary(
        events=("add_to_playlist", "a_very_long_name_of_something_that_happened"),
        topics=("network", "sim_swap"),
        channels=("app",),
    )
)
ALL = catalog(WORDS)

SENTENCES = [
    # signal, value, the row's other signals, English, Hindi
    (
        "days_since_last_order",
        41.3,
        {"median_days_between_orders": 12.0},
        "No order for 41 days; usually every 12",
        "41 दिन से कोई ऑर्डर नहीं; आम तौर पर हर 12 दिन में",
    ),
    ("days_since_last_order", 41.3, {}, "Last order 41 days ago", "पिछला ऑर्डर 41 दिन पहले"),
    (
        "days_since_last_order",
        0.4,
        {"median_days_between_orders": 12.0},
        "Last order within 24 hours",
        "पिछले 24 घंटों में ऑर्डर",
    ),
    ("days_since_last_order", 1.9, {"median_days_between_orders": 1.0}, "Last order 1 day ago", "पिछला ऑर्डर 1 दिन पहले"),
    (
        "days_since_last_order",
        9.0,
        {"median_days_between_orders": 1.0},
        "No order for 9 days; usually every day",
        "9 दिन से कोई ऑर्डर नहीं; आम तौर पर रोज़",
    ),
    (
        "silence_to_median_gap_order",
        3.5,
        {"median_days_between_orders": 12.0},
        "No order for 42 days; usually every 12",
        "42 दिन से कोई ऑर्डर नहीं; आम तौर पर हर 12 दिन में",
    ),
    (
        "silence_to_longest_gap_order",
        2.0,
        {"longest_days_between_orders": 20.0},
        "No order for 40 days; longest gap 20",
        "40 दिन से कोई ऑर्डर नहीं; सबसे लंबा अंतर 20",
    ),
    (
        "days_since_last_activity",
        5.2,
        {"median_days_between_activity": 2.5},
        "No activity for 5 days; usually every 2.5",
        "5 दिन से कोई गतिविधि नहीं; आम तौर पर हर 2.5 दिन में",
    ),
    (
        "median_days_between_orders",
        12.0,
        {"days_since_last_order": 41.3, "median_days_between_orders": 12.0},
        "No order for 41 days; usually every 12",
        "41 दिन से कोई ऑर्डर नहीं; आम तौर पर हर 12 दिन में",
    ),
    (
        "active_days_change_90d",
        0.0,
        {"active_days_90d": 0.0},
        "Not active in the last 180 days",
        "पिछले 180 दिनों में एक बार भी नहीं आए",
    ),
    ("orders_change_30d", 0.0, {"orders_30d": 0.0}, "No orders in 60 days", "60 दिन में कोई ऑर्डर नहीं"),
    ("topic_network_60d", 3.0, {}, "3 network tickets in 60 days", "60 दिन में 3 नेटवर्क टिकट"),
    ("topic_network_60d", 1.0, {}, "1 network ticket in 60 days", "60 दिन में 1 नेटवर्क टिकट"),
    ("topic_sim_swap_180d", 0.0, {}, "No sim swap tickets in 180 days", "180 दिन में कोई sim swap टिकट नहीं"),
    (
        "bill_increase",
        177.0,
        {"bill_increase_share": 0.2995, "days_since_last_bill": 6.0},
        "Bill up ₹177 (30%) this month",
        "इस महीने बिल ₹177 (30%) बढ़ा",
    ),
    (
        "bill_increase",
        -50.0,
        {"bill_increase_share": -0.1, "days_since_last_bill": 60.0},
        "Last bill down ₹50 (10%)",
        "पिछला बिल ₹50 (10%) घटा",
    ),
    ("bill_increase", 0.0, {}, "Last bill same as before", "पिछला बिल पहले जितना"),
    ("spent_ever", 1842055.0, {}, "Spent ₹18,42,055 so far", "अब तक ₹18,42,055 ख़र्च किए"),
    ("spent_90d", -40.0, {}, "₹40 more refunded than spent in 90 days", "90 दिन में ख़र्च से ₹40 ज़्यादा रिफ़ंड"),
    ("active_days_30d", 0.0, {}, "Not active in the last 30 days", "पिछले 30 दिनों में एक बार भी नहीं आए"),
    (
        "active_days_change_30d",
        -8.0,
        {"active_days_30d": 1.0},
        "Active 1 day of 30, 9 of the 30 before",
        "पिछले 30 में से 1 दिन आए, उससे पहले 9 दिन",
    ),
    (
        "orders_change_90d",
        -3.0,
        {"orders_90d": 1.0},
        "1 order in 90 days, 4 in 90 before",
        "90 दिन में 1 ऑर्डर, उससे पहले 4",
    ),
    ("help_pages_14d", 0.0, {}, "No help page views in 14 days", "14 दिन में हेल्प पेज एक बार भी नहीं देखा"),
    ("payment_failures_30d", 2.0, {}, "2 failed payments in 30 days", "30 दिन में 2 पेमेंट फ़ेल"),
    ("payment_failure_share_180d", 0.001, {}, "<1% of payments failed in 180 days", "180 दिन में <1% पेमेंट फ़ेल"),
    ("unpaid_since_failure", 1.0, {}, "Payment failed, nothing paid since", "पेमेंट फ़ेल हुआ, उसके बाद कुछ नहीं भरा"),
    ("tickets_open", 1.0, {}, "1 open ticket", "1 टिकट खुला है"),
    (
        "days_oldest_open_ticket",
        0.5,
        {},
        "A ticket has been open for less than a day",
        "एक दिन से कम समय से एक टिकट खुला है",
    ),
    ("last_delivery_days_late", 0.0, {}, "Last delivery came in time", "पिछली डिलीवरी समय पर आई"),
    (
        "days_since_troubled_delivery",
        3.0,
        {},
        "Product with many issues came 3 days ago",
        "3 दिन पहले ज़्यादा दिक़्क़त वाला प्रोडक्ट मिला",
    ),
    ("plan_price_change", 100.0, {}, "Plan ₹100 dearer than at the start", "प्लान शुरू से ₹100 महंगा"),
    ("last_rating", 2.0, {}, "Last rating: 2", "पिछली रेटिंग: 2"),
    ("message_opens_90d", 0.0, {}, "No message of ours opened in 90 days", "90 दिन में हमारा कोई मैसेज नहीं खोला"),
    ("event_add_to_playlist_30d", 3.0, {}, "3 add to playlist in 30 days", "30 दिन में 3 add to playlist"),
    (
        "event_add_to_playlist_days_since_last",
        8.0,
        {},
        "Last add to playlist 8 days ago",
        "पिछला add to playlist 8 दिन पहले",
    ),
    ("channel_app_share_90d", 0.8, {}, "80% of activity in 90 days by app", "90 दिन में 80% गतिविधि app से"),
]


@pytest.mark.parametrize(("signal", "value", "row", "en", "hi"), SENTENCES)
def test_a_value_says_this(signal: str, value: float, row: dict[str, float | None], en: str, hi: str) -> None:
    assert en == sentence(signal, value, row, "en")
    assert hi == sentence(signal, value, row, "hi")
    assert signal in {known.name for known in ALL}


def test_money_has_the_sign_and_the_grouping_of_its_country() -> None:
    assert sentence("spent_ever", 1842055.0, {}, "en", currency="USD") == "Spent $1,842,055 so far"
    assert sentence("spent_ever", 1842055.0, {}, "en", currency="CHF") == "Spent CHF 1,842,055 so far"


VALUES = st.floats(0, 400) | st.integers(0, 400).map(float)


@settings(max_examples=60, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(st.data(), VALUES)
def test_every_signal_gives_a_short_sentence_or_is_declared_not_sayable(data: st.DataObject, value: float) -> None:
    row = {signal.name: data.draw(VALUES, label=signal.name) for signal in ALL if "between" in signal.name}
    row |= dict.fromkeys((s.name for s in ALL if s.name not in row), 7.0)
    for signal in ALL:
        capped = min(value, 1.0) if signal.unit == "share" else value
        if signal.unit == "yes 1, no 0":
            capped = float(value > 100)
        for language in ("en", "hi"):
            said = sentence(signal.name, capped, row, language)
            if not sayable(signal.name):
                assert said is None
            elif said is None:
                # What did not happen is not always worth a word, and a repeat needs two.
                assert round(capped) < 2, signal.name
            else:
                assert 0 < len(said) <= LONGEST, said
                assert signal.name not in said
                assert "_" not in said
                assert not re.search(r"[{}¤०-९]|nan|None", said), said


def test_a_missing_or_impossible_value_says_nothing() -> None:
    assert sentence("orders_90d", None, {}, "en") is None
    assert sentence("orders_90d", float("nan"), {}, "hi") is None
    assert sentence("no_such_signal", 1.0, {}, "en") is None
    assert sentence("silence_to_median_gap_order", 2.0, {"median_days_between_orders": None}, "en") is None


def test_the_strongest_groups_speak_each_through_its_strongest_signal_that_can() -> None:
    reasons = top_reasons(
        [
            "orders_90d",
            "order_days_decayed_90d",
            "orders_30d",
            "tickets_60d",
            "topic_network_60d",
            "spent_90d",
            "days_known",
        ],
        [0.0, 0.25, 0.0, 2.0, 2.0, None, 300.0],
        [0.2, 0.9, 0.3, 0.5, 0.4, 0.8, -0.1],
    )
    assert [(r["signal"], r["en"]) for r in reasons] == [
        ("orders_30d", "No orders in 30 days"),
        ("tickets_60d", "2 support tickets in 60 days"),
        ("topic_network_60d", "2 network tickets in 60 days"),
    ]
    assert [round(r["push"], 6) for r in reasons] == [1.4, 0.5, 0.4]
    assert reasons[0]["share"] == pytest.approx(1.4 / (1.4 + 0.5 + 0.4 + 0.8 + 0.1))
    assert reasons[0]["hi"] == "30 दिन में कोई ऑर्डर नहीं"


def test_what_lowers_the_risk_is_a_fact_with_a_negative_push() -> None:
    [reason] = top_reasons(["orders_30d"], [4.0], [-0.7])
    assert (reason["push"], reason["en"]) == (-0.7, "4 orders in 30 days")


def test_nothing_pushing_gives_no_reason() -> None:
    assert top_reasons(["orders_30d", "tickets_60d"], [4.0, 1.0], [0.0, 0.0]) == []
    assert top_reasons([], [], []) == []


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_three_reasons_are_three_different_stories(seed: int) -> None:
    random = Random(seed)
    pushes = [random.uniform(-2, 2) for _ in ALL]
    values = [random.uniform(0, 400) for _ in ALL]
    reasons = top_reasons([signal.name for signal in ALL], values, pushes)
    assert len(reasons) == 3
    assert len({group_of(reason["signal"]) for reason in reasons}) == 3
    assert len({reason["en"] for reason in reasons}) == 3
    sizes = [abs(reason["push"]) for reason in reasons]
    assert sizes == sorted(sizes, reverse=True)
