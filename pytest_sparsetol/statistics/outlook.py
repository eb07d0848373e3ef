"""About how many more items would turn an INCONCLUSIVE cell into a verdict."""

from __future__ import annotations

import math

import numpy as np

from pytest_sparsetol.result import points
from pytest_sparsetol.statistics.decision import ROUNDING
from pytest_sparsetol.statistics.limits import exceedance
from pytest_sparsetol.statistics.sample import Sample

MOST_TIMES = 100
"""Beyond so many times the items at hand no number is given: the mean is at the threshold, or as good as."""


def items_to_decide(sample: Sample, threshold: float, alpha: float, alpha_fail: float) -> int | None:
    """Additional items after which a single look would decide, if they brought the values seen so far again and again.

    An estimate to plan with, not a promise: the mean of further items will differ. None where more than `MOST_TIMES`
    as many would be needed.

    Args:
        sample: the values seen so far.
        threshold: allowed loss.
        alpha: that a PASS of the look may spend.
        alpha_fail: that a FAIL of the look may spend.

    """
    if sample.mean > threshold + ROUNDING:
        toward, mean, alpha = sample.mirrored(), 0.0, alpha_fail
    else:
        toward, mean = sample, threshold

    def decided(factor: float) -> bool:
        return bool(exceedance(toward.times(factor), np.array([mean]))[0] <= alpha)

    low = high = 1.0
    while not decided(high):
        if high >= MOST_TIMES:
            return None
        low, high = high, high * 2
    while (high - low) * sample.items > max(0.5, 0.01 * (high - 1) * sample.items):
        middle = (low + high) / 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return math.ceil((high - 1) * sample.items)


def two_digits(items: int) -> int:
    """Rounded up to two significant digits: an estimate must not look like a count."""
    step: int = 10 ** max(0, len(str(items)) - 2)
    return -(-items // step) * step


def describe(more: int | None, mean: float, threshold: float, items: float) -> str:
    """The sentence that goes with it."""
    if more is None:
        return (
            f"a loss of {points(mean)} points is too close to the allowed {points(threshold)}: "
            f"even {two_digits(math.ceil(MOST_TIMES * items))} items would not decide"
        )
    return f"about {two_digits(max(1, more))} more items would decide"
