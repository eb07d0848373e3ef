"""How many items a verdict needs. Plain arithmetic: collection imports this, and nothing heavy with it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_sparsetol.statistics.errors import EvidenceError

EARLY = 0.1
"""Share of alpha that early FAIL spends of the error that it shares with the last look; the look has the rest."""
LATE = 1 - EARLY
MOST_STEPS = 500.0
TANGENTS = (1.0, 0.0, 2.0, 3.0)
"""Where the bound of a mix touches what it bounds, in items x limit; each is valid, one is close."""


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


def mix_surely_passes(items: Sequence[int], weights: Sequence[float], threshold: float, alpha: float) -> bool:
    """Whether a mix passes for sure if no group shows a loss; False leaves the question to `decide_mix`.

    Without a loss the limit variable of a group of n items (see `melding`) is 1 - exp(-Y), where n Y is exponential,
    moved by -log(LATE) for the share of alpha that early FAIL leaves. The curve lies under each of its tangents, so
    that the weighted sum is at most a constant plus exponential phases, whose tail is known.
    """
    return any(_tangents_pass(items, weights, threshold, alpha, place) for place in TANGENTS)


def _tangents_pass(
    items: Sequence[int], weights: Sequence[float], threshold: float, alpha: float, place: float
) -> bool:
    """The same by tangents where each group's n Y is `place`."""
    left, rates = threshold, []
    for number, weight in zip(items, weights, strict=True):
        at = place / number
        slope = math.exp(-at)
        left -= weight * (1 - slope + slope * (-math.log(LATE) / number - at))
        rates.append(number / (weight * slope))
    return left > 0 and _phases_exceed(rates, left) <= alpha


def _phases_exceed(rates: Sequence[float], time: float) -> float:
    """P(sum of exponential variables > time), by uniformization; rates beyond reason are lowered, which adds time."""
    slowed = [min(rate, MOST_STEPS / time) for rate in rates]
    fastest = max(slowed)
    inside, total, mass = [1.0] + [0.0] * (len(slowed) - 1), 0.0, math.exp(-fastest * time)
    steps = math.ceil(fastest * time + 10 * math.sqrt(fastest * time) + 20)
    for step in range(1, steps + 1):
        total += mass * sum(inside)
        mass *= fastest * time / step
        moves = [share * rate / fastest for share, rate in zip(inside, slowed, strict=True)]
        inside = [share - gone + come for share, gone, come in zip(inside, moves, [0.0, *moves[:-1]], strict=True)]
    return total


def check_gate(threshold: float, confidence: float) -> None:
    """Refuse a threshold outside (0, 1] or a confidence outside (0, 1)."""
    if not 0 < threshold <= 1:
        raise EvidenceError(f"threshold {threshold!r} is not a fraction above 0 and at most 1")
    if not 0 < confidence < 1:
        raise EvidenceError(f"confidence {confidence!r} is not between 0 and 1")
