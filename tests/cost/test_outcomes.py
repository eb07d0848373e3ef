"""How two models' scores differ: paired where the items are the same, two samples where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_sparsetol.cost.outcomes import GroupScores, limits, mean, paired
from pytest_sparsetol.statistics.limits import lower_limit, upper_limit
from pytest_sparsetol.statistics.sample import collect

ONE = [1.0, 1.0, 0.5, 1.0, 0.0, 1.0, 1.0, 1.0]
OTHER = [1.0, 0.0, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0]


def dense(scores: list[float], asked: str = "same", documents: tuple[int, ...] = ()) -> GroupScores:
    return GroupScores(1.0, scores, [], documents, asked)


def test_paired_limits_are_those_of_the_differences() -> None:
    found = limits([dense(ONE)], [dense(OTHER)], 0.9)

    sample = collect([a - b for a, b in zip(ONE, OTHER, strict=True)])
    assert found == pytest.approx((lower_limit(sample, 0.05), upper_limit(sample, 0.05)), abs=1e-4)


def test_items_of_one_document_count_as_one_draw() -> None:
    documents = (0, 0, 1, 1, 2, 2, 3, 3)
    found = limits([dense(ONE, documents=documents)], [dense(OTHER, documents=documents)], 0.9)

    sample = collect([a - b for a, b in zip(ONE, OTHER, strict=True)], [str(place) for place in documents])
    assert found == pytest.approx((lower_limit(sample, 0.05), upper_limit(sample, 0.05)), abs=1e-4)


def test_other_items_are_not_paired_by_their_place() -> None:
    turned = OTHER[::-1]
    assert limits([dense(ONE)], [dense(turned)], 0.9) != limits([dense(ONE)], [dense(OTHER)], 0.9)

    assert limits([dense(ONE)], [dense(turned, "other")], 0.9) == limits([dense(ONE)], [dense(OTHER, "other")], 0.9)


def test_other_items_give_wider_limits_that_cover() -> None:
    """Two independent samples of 30 right or wrong answers, 0.9 against 0.7: two-sided limits at 0.9."""
    generator = np.random.default_rng(4)
    covered, runs, wider = 0, 40, 0
    for _ in range(runs):
        one, other = ((generator.random(30) < share).astype(float).tolist() for share in (0.9, 0.7))
        found = limits([dense(one, "one")], [dense(other, "other")], 0.9)
        assert found is not None
        covered += found[0] <= 0.2 <= found[1]
        wider += found[1] - found[0] > 0.1
    assert covered >= 36
    assert wider == runs


def test_a_part_of_the_items_has_a_score_but_no_limits() -> None:
    stopped = GroupScores(1.0, ONE, [0.5, 0.0], [], "same")

    assert not stopped.whole
    assert mean([stopped]) == pytest.approx(sum(ONE) / 8 - 0.25)
    assert limits([stopped], [dense(OTHER)], 0.9) is None


def test_a_mix_is_paired_where_all_its_groups_are() -> None:
    shares = ((0.75, ONE), (0.25, OTHER))
    mix = [GroupScores(weight, scores, [], [], "same") for weight, scores in shares]
    half = [mix[0], GroupScores(0.25, OTHER, [], [], "others")]

    assert mean(mix) == pytest.approx(0.75 * sum(ONE) / 8 + 0.25 * sum(OTHER) / 8)
    assert paired(mix, mix)
    assert not paired(mix, half)
    found = limits(mix, half, 0.95)
    assert found is not None
    assert found[0] < 0 < found[1]


def test_scores_whose_last_bits_are_off_are_judged() -> None:
    better = GroupScores(1.0, [0.7, 0.3], [0.7 - 1.0, 0.3 - 1.0], [], "one")
    assert better.scores == [1.0, 1.0]

    assert limits([better], [dense([0.0, 0.0], "other")], 0.95) is not None
