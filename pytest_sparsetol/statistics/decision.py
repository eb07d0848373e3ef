"""A verdict with what it rests on, and the rule of a look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pytest_sparsetol.result import points

ROUNDING = 1e-12
"""What exceeds a bound by its last digits alone does not exceed it."""


@dataclass(frozen=True)
class Decision:
    """A verdict and what it rests on. Losses are fractions, positive = the sparse model is worse.

    Attributes:
        mean: mean difference of the items used. Where a cell stopped early because its loss was high, this mean is
            on the high side; the limits allow for that.
        lower: one-sided lower limit of the mean loss. It leaves a tenth of alpha to early FAIL, where that is on.
        upper: one-sided upper limit, at the alpha of the look that decided. Each limit has its confidence by itself.
        items: items used: those up to the stop.
        reason: one sentence for the report.

    """

    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE"]
    mean: float
    lower: float
    upper: float
    items: int
    reason: str


def judge(
    mean: float, lower: float, upper: float, threshold: float, items: int, outlook: Callable[[], str]
) -> Decision:
    """The rule of the last look, shared by cells and mixes; `outlook` says what would decide an open case."""
    if upper <= threshold:
        reason = f"the loss is at most {points(upper)} points, allowed are {points(threshold)}"
        return Decision("PASS", mean, lower, upper, items, reason)
    if mean > threshold + ROUNDING and lower > ROUNDING:
        reason = f"{points(mean)} points are lost, allowed are {points(threshold)}"
        return Decision("FAIL", mean, lower, upper, items, reason)
    return Decision("INCONCLUSIVE", mean, lower, upper, items, outlook())
