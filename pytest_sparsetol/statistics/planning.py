"""How many items a verdict needs. Plain arithmetic: collection imports this, and nothing heavy with it."""

from __future__ import annotations

import math

from pytest_sparsetol.statistics.errors import EvidenceError


def limit_without_loss(items: int, alpha: float) -> float:
    """Exact upper limit of the mean loss, a fraction, after `items` differences of zero (Clopper-Pearson)."""
    # Every part of the package uses this one expression, so that planned and judged limits agree to the last bit.
    return float(1 - alpha ** (1 / items))


def items_to_pass(threshold: float, confidence: float) -> int:
    """The fewest items that can PASS, which they do when none of them shows a loss: 59 at 0.05 and 0.95.

    Args:
        threshold: allowed mean loss, a fraction in (0, 1].
        confidence: of the one-sided upper limit, in (0, 1).

    Raises:
        EvidenceError: a value outside its range.

    """
    check_gate(threshold, confidence)
    alpha = 1 - confidence
    if threshold == 1:
        return 1
    items = max(1, math.ceil(math.log(alpha) / math.log1p(-threshold)))
    # The quotient of logarithms can be off by one where the limit meets the threshold exactly.
    while items > 1 and limit_without_loss(items - 1, alpha) <= threshold:
        items -= 1
    while limit_without_loss(items, alpha) > threshold:
        items += 1
    return items


def check_gate(threshold: float, confidence: float) -> None:
    """Refuse a threshold outside (0, 1] or a confidence outside (0, 1)."""
    if not 0 < threshold <= 1:
        raise EvidenceError(f"threshold {threshold!r} is not a fraction above 0 and at most 1")
    if not 0 < confidence < 1:
        raise EvidenceError(f"confidence {confidence!r} is not between 0 and 1")
