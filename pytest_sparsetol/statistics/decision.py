"""The verdict on one cell, from its paired differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_sparsetol.result import points
from pytest_sparsetol.statistics.limits import lower_limit, upper_limit
from pytest_sparsetol.statistics.outlook import describe, items_to_decide
from pytest_sparsetol.statistics.planning import check_gate
from pytest_sparsetol.statistics.sample import collect


@dataclass(frozen=True)
class Decision:
    """A verdict and what it rests on. Losses are fractions, positive = the sparse model is worse.

    Attributes:
        mean: mean difference of the items used.
        lower: one-sided lower limit of the mean loss, each limit with the gate's confidence by itself.
        upper: one-sided upper limit.
        items: items used.
        reason: one sentence for the report.

    """

    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE"]
    mean: float
    lower: float
    upper: float
    items: int
    reason: str


def decide(
    differences: Sequence[float],
    threshold: float,
    confidence: float = 0.95,
    clusters: Sequence[str] | None = None,
) -> Decision:
    """Judge whether the mean loss is at most `threshold`.

    PASS where the upper limit is at most the threshold. FAIL where the mean exceeds the threshold and the lower limit
    exceeds 0. Otherwise INCONCLUSIVE.

    Args:
        differences: dense - sparse score per item, in [-1, 1], in the order run.
        threshold: allowed mean loss, a fraction in (0, 1].
        confidence: of each one-sided limit.
        clusters: name of the document behind each item; items that share one count as one draw. None: all differ.

    Raises:
        EvidenceError: no differences, a value outside its range or not a number, or lengths that differ.

    """
    check_gate(threshold, confidence)
    sample = collect(differences, clusters)
    alpha = 1 - confidence
    lower, upper = lower_limit(sample, alpha), upper_limit(sample, alpha)
    return judge(
        sample.mean,
        lower,
        upper,
        threshold,
        int(sample.items),
        lambda: describe(items_to_decide(sample, threshold, alpha), sample.mean, threshold, sample.items),
    )


def judge(
    mean: float, lower: float, upper: float, threshold: float, items: int, outlook: Callable[[], str]
) -> Decision:
    """The rule of the last look, shared by cells and mixes; `outlook` says what would decide an open case."""
    if upper <= threshold:
        reason = f"the loss is at most {points(upper)} points, allowed are {points(threshold)}"
        return Decision("PASS", mean, lower, upper, items, reason)
    if mean > threshold and lower > 0:
        reason = f"{points(mean)} points are lost, allowed are {points(threshold)}"
        return Decision("FAIL", mean, lower, upper, items, reason)
    return Decision("INCONCLUSIVE", mean, lower, upper, items, outlook())
