"""The playbook: what it holds, and how it answers when somebody gets it wrong."""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path

import pytest

from records.errors import WordsError
from serving.message_files import message_files
from serving.playbook import FILE, LANGUAGES, load_playbook

SHIPPED = FILE.read_text(encoding="utf-8")


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The shipped playbook with one passage changed."""
    assert SHIPPED.count(old) >= 1, old
    file = tmp_path / "playbook.toml"
    file.write_text(SHIPPED.replace(old, new, 1), encoding="utf-8")
    return file


def test_the_plays_and_their_comparison_groups_are_the_agreed_ones() -> None:
    book = load_playbook()
    agreed = {
        "router_setup": ("no_event", 14, 0.10),
        "bill_explained": ("no_event", 10, 0.10),
        "payment_help": ("event", 3, 0.0),
        "delivery_sorry": ("event", 60, 0.0),
        "delivery_coupon": ("event", 60, 0.20),
        "better_plan": ("still_active", 60, 0.20),
        "really_fixed": ("no_event", 30, 0.15),
        "back_in_stock": ("event", 7, 0.0),
        "outage_update": ("no_event", 3, 0.0),
    }
    assert {p.name: (p.outcome.kind, p.outcome.window_days, p.comparison) for p in book.plays} == agreed
    assert book.nothing.title["hi"] == "कुछ नहीं"


def test_the_most_urgent_play_comes_first() -> None:
    priorities = [play.priority for play in load_playbook().plays]
    assert priorities == sorted(priorities, reverse=True)
    assert load_playbook().plays[0].name == "outage_update"


def test_triggers_say_what_the_table_says() -> None:
    book = load_playbook()
    bill = book.play("bill_explained").trigger[0]
    assert (bill.event, bill.where[0].at_least, bill.where[0].times) == (
        "bill_issued",
        1.2,
        "properties.previous_amount",
    )
    assert bill.because is not None
    assert "billing" in bill.because.topics
    payment = book.play("payment_help").trigger[0]
    assert (payment.after_hours, payment.also[0].at_most, payment.also[0].same) == (2, 0, ("properties.bill_id",))
    plan = book.play("better_plan").trigger[0]
    assert (plan.nightly, plan.bands) == (True, ("high",))
    late, missing = book.play("delivery_sorry").trigger
    assert (late.where[0].at_least, missing.also[0].names) == (2, ("item_missing",))
    fixed = book.play("really_fixed").trigger[0]
    assert (fixed.after_hours, fixed.also[0].at_least) == (48, 2)


def test_the_coupon_is_apart_from_the_apology() -> None:
    sorry, coupon = load_playbook().play("delivery_sorry"), load_playbook().play("delivery_coupon")
    assert (sorry.purpose, coupon.purpose) == ("service", "promotional")
    assert (sorry.offer_minor, sorry.comparison, coupon.comparison) == (0, 0.0, 0.20)
    assert min(t.after_hours for t in coupon.trigger) > max(t.after_hours for t in sorry.trigger)


def test_costs_and_value_are_in_minor_units() -> None:
    coupon = load_playbook().play("delivery_coupon")
    assert coupon.cost("email") == coupon.cost_minor["email"] + coupon.offer_minor
    assert coupon.value == round(coupon.value_minor * coupon.assumed_effect)


def test_every_play_has_its_message_and_both_languages() -> None:
    for play in load_playbook().plays:
        assert message_files(play.message).meta.purpose == play.purpose
        for language in LANGUAGES:
            assert play.title[language]
            assert play.outcome.words[language]
        assert re.search("[\u0904-\u0939]", play.title.hi + play.why.hi + play.outcome.words.hi)


def test_promotional_plays_stay_between_ten_and_nine_in_the_evening() -> None:
    for play in load_playbook().plays:
        if play.purpose == "promotional":
            assert play.send_between[0] >= time(10)
            assert play.send_between[1] <= time(21)


def test_the_version_is_the_content(tmp_path: Path) -> None:
    other = load_playbook(changed(tmp_path, "priority = 65", "priority = 64"))
    assert other.version != load_playbook().version
    assert len(other.version) == 64


def test_an_unknown_play_names_those_there_are() -> None:
    with pytest.raises(WordsError, match=r"no play called 'discount'.*The playbook has: outage_update, "):
        load_playbook().play("discount")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "priority = 65",
            "priority = 65\nurgency = 3",
            r"play router_setup, key urgency: this key is not known \(found 3\)",
        ),
        (
            "comparison = 0.10",
            "comparison = 0.7",
            r"play router_setup, key comparison: .*less than or equal to 0\.5 \(found 0\.7\)",
        ),
        ('purpose = "service"', 'purpose = "advice"', r"play router_setup, key purpose: .*'service' or 'promotional'"),
        ("after_hours = 24", "after_hours = -1", r"play router_setup, key trigger\.0\.after_hours: "),
        (
            'event = "order_delivered"',
            'event = "Order Delivered"',
            r"play router_setup, key trigger\.0\.event: .*pattern",
        ),
        ("within_hours = 72", "", r"play router_setup, key trigger\.0: an event needs within_hours"),
        ('key = "properties.order_id"', 'key = "customer.name"', r"key trigger\.0\.key: .*pattern"),
        ('is = "router_setup" }], since', 'is = "router_setup", at_least = 1 }], since', r"exactly one of is, one_of"),
        ("window_days = 14", "window_days = 0", r"play router_setup, key outcome\.window_days"),
        (
            'direction = "fewer", en = "asked for help',
            'direction = "more", en = "asked for help',
            r'direction is "fewer"',
        ),
        (
            'channels = ["whatsapp", "email", "sms"]',
            'channels = ["pigeon"]',
            r"key channels\.0: .*'email', 'whatsapp' or 'sms'",
        ),
        (
            "cost_minor = { whatsapp = 13, email = 2, sms = 40 }",
            "cost_minor = { email = 2 }",
            r"cost_minor must name exactly",
        ),
        ('send_between = ["10:00", "20:00"]', 'send_between = ["20:00", "10:00"]', r"must begin before it ends"),
        (
            'send_between = ["10:30", "19:30"]',
            'send_between = ["09:00", "19:30"]',
            r"play delivery_coupon.*10:00 and 21:00",
        ),
        ('name = "bill_explained"', 'name = "router_setup"', r"two plays are called router_setup"),
        ('purpose = "service"\npriority = 80', 'purpose = "service"\noffer_minor = 5\npriority = 80', r"sells nothing"),
        ("nightly = true", "nightly = false", r"play better_plan, key trigger\.0: give either an event or nightly"),
        ("[nothing]", "[nothing", r"is not valid TOML"),
        (
            'title = { en = "Nothing", hi = "कुछ नहीं" }',
            'title = { en = "Nothing" }',
            r"key nothing\.title\.hi: Field required",
        ),
    ],
)
def test_a_mistake_is_named_with_play_key_value_and_remedy(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = changed(tmp_path, old, new)
    with pytest.raises(WordsError, match=said) as caught:
        load_playbook(file)
    assert str(file) in caught.value.message
    assert caught.value.remedy


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WordsError, match=r"Cannot read .*gone\.toml"):
        load_playbook(tmp_path / "gone.toml")


def test_a_reason_of_price_is_a_signal_that_exists() -> None:
    from fnmatch import fnmatch

    from features.catalog import catalog

    because = load_playbook().play("better_plan").trigger[0].because
    assert because is not None
    names = [signal.name for signal in catalog()]
    assert [pattern for pattern in because.signals if not any(fnmatch(name, pattern) for name in names)] == []
    assert not any(fnmatch("days_since_last_bill", pattern) for pattern in because.signals)


def test_the_topics_some_play_helps_with() -> None:
    """Chosen for one (billing, plan_price), judged by how many ask (network, router_setup), or said of the play."""
    assert load_playbook().topics == {"billing", "plan_price", "network", "router_setup", "payment", "delivery"}
