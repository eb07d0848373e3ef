"""About how many more items would turn an INCONCLUSIVE cell into a verdict."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

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

    def chance(factor: float) -> float:
        return float(exceedance(toward.times(factor), np.array([mean]))[0])

    return more_items(chance, alpha, sample.items)


def more_items(chance: Callable[[float], float], alpha: float, items: float) -> int | None:
    """Additional items with which `chance`, given how many times there are the items at hand, falls to alpha.

    Within a hundredth; None where more than `MOST_TIMES` as many would be needed.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    @functools.cache
    def gap(root: float) -> float:
        # The deviate is nearly straight in the square root of the items, so that few steps find the place.
        return float(ndtri(np.clip(chance(root**2), 1e-300, 1 - 1e-16)) - ndtri(alpha))

    low = high = 1.0
    while gap(high) > 0:
        if high**2 >= MOST_TIMES:
            return None
        low, high = high, min(high * 1.5, math.sqrt(MOST_TIMES))
    if high == 1:
        return 0
    close = max(0.25 / (high * items), 0.005 * (low - 1 / low))
    root = float(brentq(gap, low, high, xtol=close))
    return math.ceil((root**2 - 1) * items)


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
