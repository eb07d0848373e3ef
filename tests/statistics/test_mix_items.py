"""Which mixes can pass at all: the quick answer agrees with the verdict itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics import Plan, decide_mix
from pytest_sparsetol.statistics.mix_items import MOST_ITEMS, items_for_mix, mix_can_pass
from pytest_sparsetol.statistics.planning import mix_surely_passes

WEIGHTS = {"a": 0.7, "b": 0.2, "c": 0.06, "d": 0.04}


def without_loss(items: dict[str, int], weights: dict[str, float], threshold: float) -> float:
    """The mix's upper limit where no item shows a loss."""
    evidence = {
        name: Evidence([0.0] * number, [name] * number, [str(place) for place in range(number)])
        for name, number in items.items()
    }
    plans = {name: Plan(number) for name, number in items.items()}
    return decide_mix(evidence, weights, threshold, plans=plans).upper


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(5, 300), min_size=4, max_size=4))
def test_sure_is_never_wrong_and_seldom_silent(numbers: list[int]) -> None:
    items = dict(zip(WEIGHTS, numbers, strict=True))
    limit = without_loss(items, WEIGHTS, 0.05)

    assert not mix_surely_passes(numbers, list(WEIGHTS.values()), 0.999 * limit, 0.05)
    assert limit > 0.1 or mix_surely_passes(numbers, list(WEIGHTS.values()), 1.15 * limit, 0.05)


@pytest.mark.parametrize("weights", [{"a": 1.0}, {"a": 0.5, "b": 0.5}, WEIGHTS])
def test_the_fewest_items_pass_and_one_less_does_not(weights: dict[str, float]) -> None:
    def planned(most: int) -> dict[str, int]:
        return dict.fromkeys(weights, most)

    fewest = items_for_mix(planned, weights, 0.05, 0.95)

    assert fewest is not None
    assert without_loss(planned(fewest), weights, 0.05) <= 0.05
    assert mix_can_pass(planned(fewest), weights, 0.05, 0.95)
    assert without_loss(planned(fewest - 1), weights, 0.05) > 0.05


def test_no_number_is_named_where_even_the_most_items_are_too_few() -> None:
    def planned(most: int) -> dict[str, int]:
        # A group of many tasks, which never gets more than a few items.
        return {"a": most, "b": min(most, 20)}

    assert items_for_mix(planned, {"a": 0.5, "b": 0.5}, 0.05, 0.95) is None
    assert without_loss(planned(MOST_ITEMS // 100), {"a": 0.5, "b": 0.5}, 0.05) > 0.05
