"""On the simulated company: the model finds those who leave nearly as well as the truth would, and nothing in noise."""

from __future__ import annotations

from pathlib import Path

import pytest
from saral_judge import Verdict, judge

SEED = 41


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    return judge(tmp_path_factory.mktemp("causal"), customers=3_000, seed=SEED)


@pytest.mark.slow
def test_also_of_a_thousand_customers_it_finds_most(tmp_path: Path) -> None:
    """What `make test` asks of the whole way; `make soak` asks more, of three times as many."""
    few = judge(tmp_path, customers=1_000, seed=SEED)
    assert few.lift_10 > 2
    assert few.lift_10 >= 0.7 * few.lift_10_hazard
    assert few.auroc > few.auroc_recency + few.auroc_error
    assert few.map_3["model"] > few.map_3["most_popular"] + 0.02
    assert few.result.promoted


@pytest.mark.soak
def test_the_riskiest_tenth_holds_most_of_what_the_true_hazards_would_find(verdict: Verdict) -> None:
    assert verdict.lift_10_hazard > 2
    assert verdict.lift_10 >= 0.8 * verdict.lift_10_hazard
    assert verdict.lift_10 >= 0.7 * verdict.lift_10_truth  # knowing all hidden states and the rules they follow
    assert verdict.ece <= 0.03  # of 2,000 judged customers; of 4,000 it is .02 at most
    assert verdict.result.promoted


@pytest.mark.soak
def test_topics_rank_better_than_popularity_and_than_the_last_time(verdict: Verdict) -> None:
    ranked = verdict.map_3
    assert ranked["model"] > ranked["most_popular"] + 0.02
    assert ranked["model"] > ranked["same_as_last"]


@pytest.mark.soak
def test_with_the_causal_links_shuffled_there_is_nothing_to_find(tmp_path: Path) -> None:
    shuffled = judge(tmp_path, customers=1_500, seed=SEED, causal=False)
    assert abs(shuffled.auroc - 0.5) < 2.5 * shuffled.auroc_error < 0.1
    assert shuffled.auroc < shuffled.auroc_recency + 0.06
    assert shuffled.lift_10 < 0.6 * shuffled.lift_10_truth
    assert not shuffled.result.promoted
