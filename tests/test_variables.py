"""Values for the words: money, days, names and products as people read them, and nothing where nothing is known."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from records.errors import WordsError
from serving.variables import event_facts, fill, greeting_name, money, sample_facts, vocabulary


def facts(message: str, **changed: Any) -> dict[str, Any]:
    """The message's sample with some facts changed; a fact set to None is missing."""
    found = {**sample_facts(message), **{key.replace("__", "."): value for key, value in changed.items()}}
    return {key: value for key, value in found.items() if value is not None}


def test_a_bill_in_both_languages() -> None:
    hi, en = (
        fill("bill_explained", "hi", facts("bill_explained")),
        fill("bill_explained", "en", facts("bill_explained")),
    )
    assert (hi["month"], hi["previous_month"], hi["amount"], hi["more"]) == ("नवंबर", "अक्टूबर", "₹766", "₹177")
    assert (en["month"], en["due_on"], en["company"], hi["company"]) == ("November", "5 December", "Saral", "सरल")
    assert (hi["item_2"], hi["sum_2"], hi["item_4"], hi["sum_4"]) == ("प्लान से ऊपर डेटा और कॉल", "₹150", "", "")


def test_january_comes_after_december() -> None:
    assert (
        fill("bill_explained", "en", facts("bill_explained", trigger__month="2026-01"))["previous_month"] == "December"
    )


@pytest.mark.parametrize(
    ("changed", "variable"),
    [
        ({"trigger__amount": None}, "amount"),
        ({"trigger__amount": "abc"}, "amount"),
        ({"trigger__amount": float("nan")}, "amount"),
        ({"trigger__amount": 500}, "more"),  # not more than before: the sentence would be untrue
        ({"trigger__previous_amount": None}, "more"),
        ({"trigger__month": "2026-13"}, "month"),
        ({"trigger__lines": []}, "item_1"),
        ({"trigger__lines": "[]"}, "item_1"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(changed: dict[str, Any], variable: str) -> None:
    with pytest.raises(WordsError, match=rf"bill_explained: {variable} has no value") as caught:
        fill("bill_explained", "en", facts("bill_explained", **changed))
    assert caught.value.facts["variable"] == variable


def test_paise_in_one_line_are_shown_in_all() -> None:
    lines = [["Plan", 499], ["GST 18%", "89.82"], ["Welcome discount", -50.0]]
    found = fill("bill_explained", "en", facts("bill_explained", trigger__lines=lines))
    assert [found["sum_1"], found["sum_2"], found["sum_3"]] == ["₹499.00", "₹89.82", "-₹50.00"]


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("0", "INR", "₹0"),
        ("999", "INR", "₹999"),
        ("1000", "INR", "₹1,000"),
        ("100000", "INR", "₹1,00,000"),
        ("1842055", "INR", "₹18,42,055"),
        ("123456789.5", "INR", "₹12,34,56,789.50"),
        ("1842055", "USD", "$1,842,055"),
        ("12.3", "SEK", "SEK 12.30"),
        ("-1500", "INR", "-₹1,500"),
    ],
)
def test_money_is_grouped_as_in_its_country(amount: str, currency: str, shown: str) -> None:
    assert money(Decimal(amount), currency) == shown


@pytest.mark.parametrize(
    ("name", "greeting"),
    [
        ("Sunita Deshmukh", "Sunita"),
        ("सुनीता देशमुख", "सुनीता"),
        ("  Ramesh  ", "Ramesh"),
        ("S. Lakshmi", "S. Lakshmi"),
        ("A K Singh", "A K Singh"),
        ("Dr Rao", "Dr Rao"),
        ("Mohd Irfan", "Mohd Irfan"),
        ("", ""),
        (None, ""),
        (float("nan"), ""),
        ("None", ""),
        ("null", ""),
        ("<b>Bo</b>", ""),
        ("{{7*7}}", ""),
        ("www.win.com now", ""),
        ("Win at evil.com", ""),
        ("Bo\r\nBcc: x", ""),
        ("=?utf-8?q?x?=", ""),
        ("Bo\u202etxt", ""),
        ("12345", ""),
        ("😀", ""),
        ("x" * 81, ""),
    ],
)
def test_a_name_fit_for_printing_greets_and_any_other_is_left_out(name: Any, greeting: str) -> None:
    assert greeting_name(name) == greeting


def test_days_and_times_are_the_companys() -> None:
    late = datetime(2026, 11, 19, 20, 0, tzinfo=UTC)
    found = fill("outage_update", "hi", facts("outage_update", trigger__occurred_at=late))
    assert found["since"] == "20 नवंबर, 01:30"
    text = fill("outage_update", "en", facts("outage_update", trigger__occurred_at="2026-11-19T20:00:00Z"))
    assert text["since"] == "20 November, 01:30"


def test_a_coupons_end_is_a_real_day() -> None:
    assert fill("delivery_coupon", "en", facts("delivery_coupon"))["valid_until"] == "27 December"


def test_the_cheaper_plan_is_the_next_one_down() -> None:
    found = fill("better_plan", "en", facts("better_plan"))
    assert (found["plan"], found["new_plan"]) == ("Mobile Max", "Mobile Plus")
    assert (found["plan_price"], found["new_price"], found["saving"]) == ("₹559", "₹329", "₹230")


@pytest.mark.parametrize("plan", ["mobile_199", "fiber_599", "gold_1", None])
def test_without_a_cheaper_plan_nothing_is_offered(plan: str | None) -> None:
    with pytest.raises(WordsError, match=r"better_plan: (plan|new_plan) has no value"):
        fill("better_plan", "en", facts("better_plan", plan__product=plan))


def test_late_or_incomplete_but_not_neither() -> None:
    late = fill("delivery_sorry", "hi", facts("delivery_sorry"))
    assert (late["product"], late["days_late"], late["missing"]) == ("S2 ईयरबड", "4", "")
    no_day = {"trigger__days_late": None}
    assert (
        fill("delivery_sorry", "en", facts("delivery_sorry", missing__product="sim_kit", **no_day))["missing"]
        == "SIM kit"
    )
    with pytest.raises(WordsError, match=r"none of missing or product\+days_late"):
        fill("delivery_sorry", "en", facts("delivery_sorry", **no_day))


def test_an_empty_purse_is_not_mentioned() -> None:
    assert fill("payment_help", "en", facts("payment_help", trigger__reason="insufficient_funds"))["reason"] == ""
    assert "validity" in fill("payment_help", "en", facts("payment_help", trigger__reason="card_expired"))["reason"]


def test_an_unknown_product_is_still_readable() -> None:
    found = fill("back_in_stock", "hi", facts("back_in_stock", trigger__product="copper_kettle"))
    assert found["product"] == "copper kettle"


def test_an_events_columns_win_over_its_properties() -> None:
    event = {
        "event_id": "e1",
        "amount": Decimal("706.8200"),
        "topic": None,
        "properties": '{"amount": 1, "bill_id": "B-1"}',
    }
    assert event_facts("trigger", event) == {
        "trigger.event_id": "e1",
        "trigger.amount": Decimal("706.8200"),
        "trigger.bill_id": "B-1",
    }
    assert event_facts("plan", {"properties": None}) == {}


def test_the_prices_we_print_are_the_simulated_companys() -> None:
    from records.simulation.company import PLANS, Company

    today = Company(seed=1, start=20_000, until=20_540)
    printed = [vocabulary()["plans"][plan]["monthly"] for plan in PLANS]
    assert printed == today.plan_rupees(today.until).tolist()
