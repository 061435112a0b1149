"""Can the words in a chart be read, wherever the lines stand?"""

from __future__ import annotations

import re

import pytest

from serving.web.charts import Axis, DayWords, Hour, axis_head, day_chart

WORDS = DayWords(label="", now="Now", decide_by="Decide", quiet_until="Quiet until 9", quiet_from="Quiet from 21")


@pytest.mark.parametrize(
    ("now", "quiet_until_at", "quiet_from_at"),
    [
        (12.0, "0%", "89.47%"),
        (4.6, "3.16%", "89.47%"),
        (8.5, "0%", "89.47%"),
        (21.4, "0%", "91.58%"),
        (22.2, "0%", None),
    ],
)
def test_the_quiet_hours_are_named_clear_of_now(now: float, quiet_until_at: str, quiet_from_at: str | None) -> None:
    hours = [Hour(hour=hour) for hour in range(4, 23)]
    drawn = day_chart(hours, WORDS, now=now, decide_by=None, quiet_from=21.0, quiet_until=9.0)
    found = {said: float(x) for x, said in re.findall(r'<text x="([\d.]+)%"[^>]*>(Quiet \w+ \d+)<', drawn)}
    expected = {"Quiet until 9": quiet_until_at, "Quiet from 21": quiet_from_at}
    assert found == {said: float(at.rstrip("%")) for said, at in expected.items() if at is not None}


@pytest.mark.parametrize("now", [7.0, 10.0, 12.0, 14.5, 16.1, 17.9, 18.0, 18.5, 21.0, 22.9])
def test_neither_now_nor_the_deadline_covers_the_others_words(now: float) -> None:
    hours = [Hour(hour=hour) for hour in range(7, 23)]
    drawn = day_chart(hours, WORDS, now=now, decide_by=18.0, quiet_from=21.0, quiet_until=9.0)
    found = re.findall(r'<text x="([\d.]+)%"[^>]*text-anchor="(\w+)"[^>]*>(Now|Decide)<', drawn)
    spans = []
    for x, anchor, said in found:
        at, wide = 7 + float(x) * 16 / 100, {"Now": 3.1, "Decide": 4.8}[said]
        spans.append((at - wide, at) if anchor == "end" else (at, at + wide))
    (one_starts, one_ends), (other_starts, other_ends) = spans
    assert min(one_ends, other_ends) - max(one_starts, other_starts) < 0.2, spans
    assert all(starts >= 7 and ends <= 23 for starts, ends in spans)


def test_every_second_figure_may_go_and_never_the_line_of_no_difference() -> None:
    words = {-10: "10 fewer", 0: "no difference", 10: "10 more", 20: "20 more"}
    drawn = axis_head(Axis(low=-15, high=25), words)
    assert re.findall(r'class="caption minor"[^>]*>([^<]*)<', drawn) == ["10 fewer", "10 more"]
