"""Whether a mix can pass at all. Imports nothing heavy unless the answer is close."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_sparsetol.statistics.planning import check_gate, mix_surely_passes

MOST_ITEMS = 100_000
"""Items a group that a contract may ask for."""


def mix_can_pass(items: Mapping[str, int], weights: Mapping[str, float], threshold: float, confidence: float) -> bool:
    """Whether a mix passes if no item shows a loss.

    Args:
        items: planned items by group.
        weights: share of traffic by group.
        threshold: allowed mean loss of the mix, a fraction in (0, 1].
        confidence: of the upper limit.

    """
    check_gate(threshold, confidence)
    if mix_surely_passes([items[group] for group in weights], list(weights.values()), threshold, 1 - confidence):
        return True
    from pytest_sparsetol.result import Evidence
    from pytest_sparsetol.statistics.p_value import mix_p_value
    from pytest_sparsetol.statistics.plan import Plan

    evidence = {
        group: Evidence([0.0] * items[group], [group] * items[group], [str(place) for place in range(items[group])])
        for group in weights
    }
    plans = {group: Plan(items[group]) for group in weights}
    return mix_p_value(evidence, weights, threshold, plans) <= 1 - confidence


def items_for_mix(
    planned: Callable[[int], Mapping[str, int]], weights: Mapping[str, float], threshold: float, confidence: float
) -> int | None:
    """The fewest items a group with which a mix can pass, None where even `MOST_ITEMS` are too few.

    Args:
        planned: items by group that at most so many a group come to.
        weights: share of traffic by group.
        threshold: allowed mean loss of the mix, a fraction in (0, 1].
        confidence: of the upper limit.

    """
    low, high = 0, 1
    while not _can(planned(high), weights, threshold, confidence):
        if high == MOST_ITEMS:
            return None
        low, high = high, min(2 * high, MOST_ITEMS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _can(planned(middle), weights, threshold, confidence) else (middle, high)
    return high


def _can(items: Mapping[str, int], weights: Mapping[str, float], threshold: float, confidence: float) -> bool:
    return all(items.values()) and mix_can_pass(items, weights, threshold, confidence)
