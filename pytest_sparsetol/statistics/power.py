"""How often a safe cell passes, and what a number of items can resolve.

A safe cell is taken to lose nothing on average, with differences of -1, 0 and 1 that have the given variance: the share
of items whose score changes, as many up as down. Among differences in [-1, 1] with that variance those vary most, so
that graded scores pass at least about as often. Early FAIL, which ends a safe cell in fewer than one run of 200 at
confidence 0.95, is left out. Where items share documents the draws are the documents and the variance is that of
their means.

Needs numpy and no scipy, as collection does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from pytest_sparsetol.statistics.planning import LATE, limit_without_loss
from pytest_sparsetol.statistics.sample import Floats
from pytest_sparsetol.statistics.tail import probability_positive

POWER = 0.9
"""With which items are said to resolve a loss, and a plan to be green as a whole."""
MOST_DRAWS = 100_000
NEGLIGIBLE = 1e-7


def power(draws: int, variance: float, threshold: float, confidence: float) -> float:
    """Probability that a safe cell passes at its one look, exact up to early FAIL.

    Args:
        draws: items, or documents where items share them.
        variance: of a draw's difference, from 0 to 1.
        threshold: allowed mean loss, a fraction in (0, 1].
        confidence: of the upper limit.

    """
    if variance <= 0:
        return float(limit_without_loss(draws, 1 - confidence) <= threshold)
    half = min(variance, 1.0) / 2
    factorials = np.append(0.0, np.cumsum(np.log(np.arange(1, draws + 1))))
    gains = np.exp(_log_binomial(draws, half, factorials))
    likely = np.flatnonzero(gains > NEGLIGIBLE)
    most = _most_losses(draws, likely, threshold, 1 - confidence)
    passes = 0.0
    for gained, lost in zip(likely.tolist(), most, strict=True):
        if lost >= 0:
            losses = np.exp(_log_binomial(draws - gained, half / (1 - half), factorials))
            passes += gains[gained] * losses[: lost + 1].sum()
    return float(min(passes, 1.0))


def resolved(draws: float, variance: float, confidence: float, wanted: float = POWER) -> float:
    """About the smallest threshold at which a safe cell passes with probability `wanted`, a fraction in (0, 1].

    It is the upper limit where as much is lost by chance as in one safe run of ten; tests compare it with `power`.
    """
    changed = draws * min(variance, 1.0)
    deviate = NormalDist().inv_cdf(wanted)
    if changed > 0:
        # Few changes have longer tails than a normal variable (Cornish and Fisher's term of the fourth cumulant).
        deviate += (deviate**3 - 3 * deviate) / (24 * max(changed, 1.0))
    net = deviate * math.sqrt(changed)
    # Counts need not be whole: gamma variables take any.
    gains = max((changed - net) / 2, 0.0)
    losses = min(gains + net, draws)
    counts = np.array([gains, max(draws - losses - gains, 0.0), losses + 1])
    alpha, low, high = 1 - confidence, (losses - gains) / draws, 1.0
    for _ in range(3):
        means = np.linspace(low, high, 18)[1:-1]
        values = np.stack([-1 - means, -means, 1 - means], axis=-1)
        below = int((probability_positive(values, counts) > alpha).sum())
        low, high = (low if below == 0 else means[below - 1]), (high if below == len(means) else means[below])
    return float(high)


def resolved_by_mix(parts: Sequence[tuple[float, float, float]], confidence: float, wanted: float = POWER) -> float:
    """About the smallest threshold at which a safe mix passes with probability `wanted`.

    The limit of a group lies about one draw of loss above its mean, and further by what chance adds; the former add up
    over groups, the latter in squares. Within a few percent, as tests see it.

    Args:
        parts: weight, draws and variance of each group.
        confidence: of the upper limit, of which early FAIL takes its part.
        wanted: probability.

    """
    level = 1 - (1 - confidence) * LATE
    losses = [(weight, 1 / draws, resolved(draws, variance, level, wanted)) for weight, draws, variance in parts]
    above = sum(weight * one for weight, one, _ in losses)
    chance = math.sqrt(sum((weight * max(loss - one, 0.0)) ** 2 for weight, one, loss in losses))
    return min(above + chance, 1.0)


def _most_losses(draws: int, gains: np.typing.NDArray[np.int64], threshold: float, alpha: float) -> list[int]:
    """For each number of gains the largest number of losses that still passes; -1 where none does."""
    values = np.array([-1 - threshold, -threshold, 1 - threshold])
    low, high = np.full(len(gains), -1), draws - gains + 1
    while (high - low > 1).any():
        middle = np.minimum((low + high) // 2, draws - gains)
        counts = np.stack([gains, draws - gains - middle, middle + 1], axis=-1)
        passes = (probability_positive(values, counts) <= alpha) & (high - low > 1)
        stays = high - low <= 1
        low, high = np.where(passes, middle, low), np.where(passes | stays, high, middle)
    return [int(number) for number in low]


def _log_binomial(trials: int, share: float, factorials: Floats) -> Floats:
    """Logarithms of the probabilities of 0 to `trials` successes."""
    successes = np.arange(trials + 1)
    ways = factorials[trials] - factorials[successes] - factorials[trials - successes]
    return np.asarray(ways + successes * math.log(share) + (trials - successes) * math.log1p(-share))
