"""Does a result say as much as its interval, and no more, where a figure rounds to nought?"""

from __future__ import annotations

import pytest

from serving.effects import Effect, Group, Verdict
from serving.playbook import load_playbook
from serving.result_words import sentence

GROUP = Group(people=100, good=50)


def said(play: str, verdict: Verdict, low: float, diff: float, high: float) -> dict[str, str]:
    """The sentence of a play whose contacted people had that many more good outcomes."""
    outcome = load_playbook().play(play).outcome
    return sentence(outcome, verdict, Effect(diff=diff, low=low, high=high, verdict=verdict), GROUP, None)


def test_an_interval_just_above_nothing_does_not_say_nought() -> None:
    words = said("better_plan", "helped", 0.003, 0.08, 0.17)
    assert words["en"] == "Of every 100 people we wrote to, about 8 more stayed (under 1 to 17)."
    assert words["hi"].endswith("लगभग 8 ज़्यादा लोग हमारे साथ रहे (1 से भी कम से लेकर 17 तक)।")


def test_a_small_help_is_not_called_none() -> None:
    words = said("router_setup", "helped", 0.001, 0.003, 0.004)
    assert words["en"].endswith("about 0.3 fewer asked for help with the set-up (under 1 to 1).")


@pytest.mark.parametrize(
    ("low", "high", "between"),
    [
        (-0.03, 0.11, "between 3 fewer and 11 more stayed."),
        (-0.002, 0.11, "between 0 and 11 more stayed."),
        (-0.08, 0.002, "between 0 and 8 fewer stayed."),
        (-0.002, 0.002, "as many stayed as without it, give or take under 1."),
    ],
)
def test_no_clear_difference_names_each_side_once(low: float, high: float, between: str) -> None:
    assert said("better_plan", "no clear difference", low, 0.0, high)["en"].endswith(between)
