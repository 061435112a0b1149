"""What the families beyond counting say, on small logs whose answers are worked out by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import log as ln
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from features_logs import CUTOFF, START, log_of, numbered
from hypothesis import given, settings
from hypothesis import strategies as st

from features.begun import Beginnings
from features.build import build_signals
from features.catalog import catalog
from features.fitted import Fitted, fit
from features.localtime import changes, local_us_sql
from features.own import OwnColumn
from features.properties import Property, fit_properties
from features.vocabulary import Vocabulary
from records.events import EventLog
from records.own_tables import import_own

DAY = timedelta(days=1)


def event(days_ago: float, name: str, who: str = "a", properties: Any = None, **columns: Any) -> dict[str, Any]:
    at = CUTOFF - days_ago * DAY
    carried = {} if properties is None else {"properties": json.dumps(properties, ensure_ascii=False)}
    return {"customer_id": who, "occurred_at": at, "received_at": at, "name": name, **carried, **columns}


def signals_of(folder: Path, rows: list[dict[str, Any]], fitted: Fitted | None = None) -> dict[str, Any]:
    return build_signals(log_of(folder, numbered(rows)), [CUTOFF], fitted=fitted or Fitted()).to_pylist()[0]


# ── the company's clock ──────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["UTC", "Asia/Kolkata", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
    st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_local_time_is_that_of_the_zone(zone: str, moment: datetime) -> None:
    import duckdb

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    near = [moment, *(epoch + timedelta(microseconds=at + step) for at, _ in changes(zone)[-3:] for step in (-1, 0))]
    for one in near:
        us = (one - epoch) // timedelta(microseconds=1)
        [(found,)] = duckdb.execute(f"select {local_us_sql(zone)} from (select {us}::bigint as us)").fetchall()  # noqa: S608  our own text
        local = one.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
        assert found == (local - epoch) // timedelta(microseconds=1)


def test_hours_and_weekdays_are_the_companys(tmp_path: Path) -> None:
    # Sunday 31 March 2024, 00:30 in Berlin is still Saturday in UTC; the clocks go forward two hours later.
    night = {"occurred_at": datetime(2024, 3, 30, 23, 30, tzinfo=UTC), "received_at": START, "customer_id": "a"}
    morning = night | {"occurred_at": datetime(2024, 4, 1, 4, 30, tzinfo=UTC)}  # 06:30 on Monday
    rows = [one | {"name": "page_viewed"} for one in (night, morning)]
    row = signals_of(tmp_path, rows, Fitted(timezone="Europe/Berlin"))
    assert (row["night_share_180d"], row["weekend_share_180d"]) == (0.5, 0.5)
    assert row["daypart_entropy_180d"] == pytest.approx(ln(2))
    assert row["weekday_entropy_180d"] == pytest.approx(ln(2))
    assert (row["daypart_shift"], row["weekday_shift"]) == (0.0, 0.0)
    utc = signals_of(tmp_path / "utc", rows)
    assert (utc["night_share_180d"], utc["daypart_entropy_180d"]) == (1.0, 0.0)


def test_a_change_of_habit_is_the_share_that_moved(tmp_path: Path) -> None:
    evenings = [event(60 + 7 * n + 5 / 24, "page_viewed") for n in range(3)]  # 19 o'clock
    mornings = [event(7 * n + 16 / 24, "page_viewed") for n in range(1)]  # 8 o'clock
    row = signals_of(tmp_path, evenings + mornings)
    assert row["daypart_shift"] == pytest.approx(0.75)


# ── labels of the past ───────────────────────────────────────────────────────────────────────────────────────


def test_past_labels_are_the_label_shifted_by_the_horizon(tmp_path: Path) -> None:
    fitted = Fitted(horizon_days=30, active_within_days=60)
    # Orders 100 and 10 days ago. 30 days ago the last was 70 days old: no customer. 60 days ago it was 40 days old and
    # none came in the 30 days after: left. 90 days ago: 10 days old, none after: left. 120 days ago: none yet.
    rows = [event(100, "order_completed"), event(10, "order_completed")]
    row = signals_of(tmp_path, rows, fitted)
    assert (row["left_last_horizon"], row["times_left_4_horizons"], row["left_share_4_horizons"]) == (None, 2.0, 1.0)
    kept = signals_of(tmp_path / "kept", [*rows, event(65, "order_completed"), event(25, "order_completed")], fitted)
    assert (kept["left_last_horizon"], kept["times_left_4_horizons"], kept["left_share_4_horizons"]) == (
        0.0,
        1.0,
        1 / 3,
    )


def test_past_labels_follow_the_leaving_event_where_it_defines_leaving(tmp_path: Path) -> None:
    fitted = Fitted(horizon_days=30, active_within_days=60, activity=(), leaving="subscription_cancelled")
    rows = [*(event(age, "page_viewed") for age in (35, 70, 95)), event(20, "subscription_cancelled")]
    row = signals_of(tmp_path, rows, fitted)
    assert (row["left_last_horizon"], row["times_left_4_horizons"]) == (1.0, 1.0)
    assert row["left_share_4_horizons"] == pytest.approx(1 / 3)


# ── contract, texts, own clock, products ─────────────────────────────────────────────────────────────────────


def test_contract_terms_are_the_last_ones_said(tmp_path: Path) -> None:
    first = {"auto_renew": True, "expires_at": "2024-04-01", "discount": 50, "payment_method": "card"}
    renewed = {"auto_renew": "false", "expires_at": "2024-04-20T12:00:00Z", "payment_method": "upi"}
    rows = [
        event(90, "subscription_started", properties=first),
        event(9, "subscription_renewed", properties=renewed),
        event(5, "plan_changed", properties={"expires_at": "soon", "discount": "none"}),
    ]
    rows[0]["product"], rows[1]["product"] = "old plan", "Plan 'B'"
    log = log_of(tmp_path, numbered(rows))
    [row] = build_signals(log, [CUTOFF], fitted=fit(log, CUTOFF)).to_pylist()
    assert (row["plan_plan_b_now"], row["plan_old_plan_now"]) == (1.0, 0.0)
    assert (row["auto_renews"], row["days_to_expiry"], row["plan_discount"]) == (0.0, 10.5, 50.0)
    assert (row["payment_method_changed"], row["renewals_365d"], row["days_since_renewal"]) == (1.0, 1.0, 9.0)


@pytest.mark.parametrize("said", ["290309-12-22 (BC)", "0001-12-31 (BC)", "10000-01-01", "294247-01-10"])
def test_an_expiry_beyond_any_calendar_is_none(tmp_path: Path, said: str) -> None:
    row = signals_of(tmp_path, [event(9, "subscription_started", properties={"expires_at": said})])
    assert (row["days_to_expiry"], row["contract_days"]) == (None, None)


def test_sentiment_is_read_from_scored_texts(tmp_path: Path) -> None:
    rows = [event(age, "text_scored", properties={"sentiment": s}) for age, s in ((100, 0.9), (20, -0.6), (10, -0.2))]
    row = signals_of(tmp_path, [event(120, "page_viewed"), *rows])
    assert row["last_sentiment"] == -0.2
    assert row["mean_sentiment_30d"] == pytest.approx(-0.4)
    assert row["sentiment_change"] == pytest.approx(-1.3)
    assert (row["unhappy_texts_90d"], row["days_since_unhappy_text"]) == (1.0, 20.0)
    words = Fitted(words=Vocabulary(topics=("billing",)))
    about = [one | {"topic": "billing"} for one in rows[1:]]
    assert signals_of(tmp_path / "topics", about, words)["text_topic_billing_90d"] == 2.0
    assert row["activities_30d"] == 0.0  # being scored is nothing the customer does


def test_overdue_is_a_share_of_ones_own_gaps(tmp_path: Path) -> None:
    days = (60.5, 58.5, 53.5, 43.5, 8.5)  # gaps 2, 5, 10, 35; silent for 9 days counted back from the cutoff
    row = signals_of(tmp_path, [event(day, "order_completed") for day in days])
    assert row["overdue_percentile_order"] == 0.5


def test_products_sell_more_or_less_than_the_month_before(tmp_path: Path) -> None:
    rows = [event(40, "order_completed", product="fan"), event(10, "order_completed", product="lamp")]
    rows += [event(40 - n, "order_completed", f"b{n}", product="fan") for n in range(3)]
    rows += [event(10, "order_completed", "c", product="fan"), event(200, "order_completed", product="lamp")]
    row = signals_of(tmp_path, rows)
    # Fans: 1 lately and 4 before, -3/5; lamps: 1 and none, 1. One purchase of each.
    assert row["product_sales_trend"] == pytest.approx((-0.6 + 1.0) / 2, abs=1e-6)
    assert (row["new_products_90d"], row["new_product_share_90d"]) == (1.0, 0.5)


# ── properties of events that no family knows ────────────────────────────────────────────────────────────────

HOSTILE = "sec'; drop table facts; --.\"/~$[0]"
PLAYED = "song 'played'; --"


def test_numbers_and_words_of_unknown_events_are_found_and_summed(tmp_path: Path) -> None:
    rows = [
        event(1 + n % 50, PLAYED, properties={HOSTILE: 10 + n % 2, "गायक": f"s{n % 3}", "on": True}, amount=None)
        for n in range(40)
    ]
    rows += [event(80, PLAYED, properties={HOSTILE: 40, "गायक": "old"}), event(2, PLAYED, properties={HOSTILE: "lots"})]
    log = log_of(tmp_path, numbered(rows))
    fitted = fit(log, CUTOFF, activity=[])
    assert fitted.numbers == (Property(PLAYED, HOSTILE),)
    assert fitted.texts == (Property(PLAYED, "गायक"),)
    assert Fitted.from_json(fitted.to_json()) == fitted
    [row] = build_signals(log, [CUTOFF], fitted=fitted).to_pylist()
    number = "property_song_played_sec_drop_table_facts_0"
    values = [10 + n % 2 for n in range(40)] + [40]
    assert row[f"{number}_mean_365d"] == pytest.approx(np.mean(values))
    assert row[f"{number}_sd_365d"] == pytest.approx(np.std(values))
    assert row[f"{number}_last"] == 10.0
    text = "property_song_played_गायक"
    assert (row[f"{text}_kinds_90d"], row[f"{text}_kinds_ever"], row[f"{text}_kinds_90d_share"]) == (4.0, 4.0, 1.0)
    names = {signal.name for signal in catalog(fitted)}
    assert {f"{number}_mean_30d_to_365d", f"{number}_sum_per_30d_of_tenure"} <= names


def test_a_number_that_names_something_is_no_measurement(tmp_path: Path) -> None:
    carried = {"session_id": 7, "userId": 8, "ID": 9, "paid": 3, "length": 2}
    rows = [event(50, "x", properties={key: n + value for key, value in carried.items()}) for n in range(30)]
    numbers, texts = fit_properties(log_of(tmp_path, numbered(rows)), CUTOFF, ("x",))
    assert ([one.key for one in numbers], texts) == (["length", "paid"], ())


def test_properties_are_chosen_before_the_moment_only(tmp_path: Path) -> None:
    rows = [event(50, "x", properties={"a": n, "b": f"{n % 7}k"}) for n in range(30)]
    rows += [event(40, "x", properties={"a": n}) for n in range(30)]
    later = [event(5, "x", properties={"z": n}) for n in range(500)]
    until = CUTOFF - 20 * DAY
    found = fit_properties(log_of(tmp_path, numbered(rows + later)), until, ("x",))
    assert found == ((Property("x", "a"),), (Property("x", "b"),))
    assert fit_properties(EventLog(tmp_path), until, ()) == ((), ())


def test_slots_go_to_what_many_customers_have_and_what_differs(tmp_path: Path) -> None:
    many = [
        event(
            n % 60 + 1,
            name,
            f"c{n % 40}",
            {
                "often the same": 1 if n % 50 else 2,
                "differs": n % 9,
                "level": "free" if n % 3 else "paid",
                "said": f"text {n}",  # prose: no two alike
                "of a few": n if n % 40 < 2 else None,
            },
        )
        for n in range(200)
        for name in ("play", "skip")
    ]
    numbers, texts = fit_properties(log_of(tmp_path, numbered(many)), CUTOFF, ("play", "skip"))
    # Each key has a slot before one has a second.
    assert [(one.event, one.key) for one in numbers[:3]] == [
        ("play", "differs"),
        ("play", "often the same"),
        ("skip", "differs"),
    ]
    words = ("free", "paid")
    assert texts == (Property("play", "level", words), Property("skip", "level", words))


def test_a_frequent_event_leaves_rare_ones_their_properties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.properties.SAMPLE", 30)
    rows = [event(1 + n % 9, "often", f"c{n % 50}", {"a": n % 7}) for n in range(3000)]
    rows += [event(90, "seldom", f"c{n}", {"b": n % 5}) for n in range(25)]
    numbers, _ = fit_properties(log_of(tmp_path, numbered(rows)), CUTOFF, ("often", "seldom"))
    assert {one.key for one in numbers} == {"a", "b"}


# ── peers and the company's own numbers ──────────────────────────────────────────────────────────────────────


def test_peers_are_those_who_lived_as_long(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    for n in range(40):  # everyone comes on ten days of their first month, on four of their second
        who = f"c{n:02}"
        rows += [event(70 - day, "page_viewed", who) for day in (*range(10), *range(30, 34))]
    rows += [event(30 - day, "page_viewed", "z") for day in range(3)]
    log = log_of(tmp_path, numbered(rows))
    fitted = fit(log, CUTOFF)
    assert fitted.peers == (403 / 41, 4.0)
    late = build_signals(log, [CUTOFF], fitted=fitted).to_pylist()[-1]
    assert late["active_days_30d_less_peers"] == pytest.approx(3 - 403 / 41)
    assert late["active_days_30d_to_peers"] == pytest.approx(3 * 41 / 403)


def test_peers_have_the_same_product_and_began_with_them(tmp_path: Path) -> None:
    rows = [event(50, "enrolled", "old", product="maths")]
    for n in range(40):  # forty begin maths together, each comes on so many of the last days as their number says
        rows.append(event(27 - n / 100, "enrolled", f"m{n:02}", product="maths"))
        rows += [event(day + 0.5, "page_viewed", f"m{n:02}") for day in range(n // 2)]
    rows += [event(0.2, "withdrawn", f"m{n:02}") for n in (4, 5, 6, 7)]
    rows += [event(20, "enrolled", f"p{n}", product="physics") for n in range(3)]
    log = log_of(tmp_path, numbered(rows))
    fitted = fit(log, CUTOFF, activity=[], leaving="withdrawn", horizon_days=14)
    assert fitted.begun.by_use is False
    found = {row["customer_id"]: row for row in build_signals(log, [CUTOFF], fitted=fitted).to_pylist()}
    one, few = found["m10"], found["p0"]
    assert (one["days_since_product_began"], one["products_begun_ever"]) == (pytest.approx(26.9), 1.0)
    assert one["peers_left_share"] == 4 / 40
    assert one["active_days_30d"] == 6.0  # the day of enrolling is one
    # Four left: of the 36 here 0 to 3 and 8, 9 come less, 10 and 11 as often.
    assert one["active_days_30d_rank_of_peers"] == pytest.approx((6 + 2 / 2) / 36)
    assert one["days_since_product_peers_began"] == 27.0
    assert few["peers_left_share"] is None  # three of physics are too few
    assert few["peers_ahead_left_share"] == pytest.approx(one["peers_ahead_left_share"], rel=0.25)
    assert found["old"]["peers_left_share"] == 4 / 41  # alone in its four weeks: all of maths


def test_the_first_use_of_a_product_begins_it_where_no_event_says_so(tmp_path: Path) -> None:
    rows = [event(60 - n / 10 - k, "watched", f"c{n}", product="one") for n in range(35) for k in (0, 5, 9)]
    rows += [event(30 - n / 10 - k, "watched", f"c{n}", product="two") for n in range(32) for k in (0, 1, 2)]
    rows.append(event(1, "watched", "c0", product="one"))
    log = log_of(tmp_path, numbered(rows))
    fitted = fit(log, CUTOFF, activity=[])
    assert (fitted.begun.events, fitted.begun.by_use) == (("watched",), True)
    found = {row["customer_id"]: row for row in build_signals(log, [CUTOFF], fitted=fitted).to_pylist()}
    assert found["c0"]["days_since_product_began"] == pytest.approx(30)  # the product begun last, not used last
    assert found["c34"]["days_since_product_began"] == pytest.approx(60 - 3.4)
    assert (found["c0"]["products_begun_ever"], found["c34"]["products_begun_ever"]) == (2.0, 1.0)


def test_goods_of_a_shop_are_no_products_to_be_a_customer_of(tmp_path: Path) -> None:
    rows = [event(90 - k, "order_completed", f"c{n}", product=f"p{(n + k) % 20}") for n in range(40) for k in range(9)]
    assert fit(log_of(tmp_path, numbered(rows)), CUTOFF).begun == Beginnings()


def test_own_signals_join_as_of_the_cutoff(tmp_path: Path) -> None:
    log = log_of(tmp_path, numbered([event(50, "page_viewed", who) for who in ("a", "b", "ग्राहक १")]))
    file = tmp_path / "mine.csv"
    day = (CUTOFF - 10 * DAY).date().isoformat()
    file.write_text(
        "customer_id,cutoff,Care_score,size\n"
        f"a,2024-03-01,1,\na,{day},2.5,7\na,{(CUTOFF + DAY).date().isoformat()},9,9\n"
        f"ग्राहक १,{CUTOFF.date().isoformat()},4,\nnobody,2024-03-01,1,1\n",
        encoding="utf-8",
    )
    import_own(log.data, "signals", "care", [file], CUTOFF + DAY)
    fitted = fit(log, CUTOFF)
    assert [one.table for one in fitted.own] == ["care", "care"]
    assert Fitted.from_json(fitted.to_json()) == fitted
    names = [signal.name for signal in catalog(fitted) if signal.family == "own"]
    table = build_signals(log, [CUTOFF - 20 * DAY, CUTOFF], fitted=fitted)
    found = [tuple(row[name] for name in names) for row in table.to_pylist()]
    assert found == [(1.0, None), (None, None), (None, None), (2.5, 7.0), (None, None), (4.0, None)]
    one = build_signals(log, [CUTOFF], fitted=fitted, customers=["a"], signals=names)
    assert one.to_pylist()[0][names[0]] == 2.5
    gone = Fitted(own=(OwnColumn("gone", "x"),), words=Vocabulary())
    assert build_signals(log, [CUTOFF], fitted=gone).column("own_gone_x").null_count == 3
