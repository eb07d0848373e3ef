"""Limits of a weighted sum of means, each known from its own sample.

Melding (M. Fay, M. Proschan and E. Brittain 2015, Biometrics 71, 146-156): each sample's upper limits, read as a
function of the confidence, are the quantiles of a random variable; the limit of the sum is the quantile of the weighted
sum of independent ones. For Gaffke's limits that variable is the weighted mean of the spacings. It contains the single
sample as a special case, and pays for its groups only once, where adding up limits pays for each.

The paper simulates the variables; here their distributions are computed (`tail`) and convolved, so that the same
evidence gives the same limit everywhere. That melding keeps its level for more than two groups is measured
(`benchmarks/verdicts.py`), not proven.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_sparsetol.statistics.betting import Bets
from pytest_sparsetol.statistics.limits import exceedance
from pytest_sparsetol.statistics.sample import Floats, Sample

LATTICE = 2**15
"""Cells on [0, 1] on which sums are formed."""
FIRST_KNOTS = 9
CLOSE = 0.33
"""Knots are added until the distribution rises by no more than this many standard deviations between two."""
FAR = 6.0
"""Where a distribution counts as 0 or 1: standard deviations of a normal variable, probability 1e-9."""
MOST_ROUNDS = 20

Complexes = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Belief:
    """Distribution of a mean's upper limit over confidences, tabulated.

    Probabilities are kept as the normal deviates that have them: for many items those are nearly straight in the mean,
    so that few knots say everything.
    """

    means: Floats
    deviates: Floats

    def at(self, means: Floats) -> Floats:
        """The distribution function: 0 before the first knot, 1 from the last on."""
        if len(self.means) == 1:
            return np.where(means >= self.means[0], 1.0, 0.0)
        from scipy.interpolate import PchipInterpolator
        from scipy.special import ndtr

        inside = ndtr(PchipInterpolator(self.means, self.deviates)(np.clip(means, self.means[0], self.means[-1])))
        return np.where(means < self.means[0], 0.0, np.where(means >= self.means[-1], 1.0, inside))


def belief(sample: Sample, level: float = 1.0) -> Belief:
    """The distribution that goes with Gaffke's upper limits of a sample, each at `level` times its alpha."""
    low = float((sample.totals / sample.sizes).min())
    if low >= 1:
        return Belief(np.array([1.0]), np.array([0.0]))
    return tabulate(lambda means: exceedance(sample, means) / level, low, 1.0)


def belief_of_bets(bets: Bets, level: float) -> Belief:
    """The same for limits that hold at any stop."""
    mirrored = bets.mirrored()
    if min(total / size for total, size in zip(bets.totals, bets.sizes, strict=True)) >= 1:
        return Belief(np.array([1.0]), np.array([0.0]))
    return tabulate(lambda means: np.exp(-mirrored.log_wealth(-means)) / level, -1.0, 1.0)


def tabulate(above: Callable[[Floats], Floats], low: float, high: float) -> Belief:
    """Tabulate a distribution by its upper tail, which is 1 at `low` and 0 at `high`, densely where it falls."""
    from scipy.special import ndtri

    def deviates(means: Floats) -> Floats:
        return np.asarray(np.clip(-ndtri(np.clip(above(means), 0.0, 1.0)), -FAR, FAR))

    means = np.linspace(low, high, FIRST_KNOTS)
    values = np.concatenate([[-FAR], deviates(means[1:-1]), [FAR]])
    for _ in range(MOST_ROUNDS):
        wide = np.flatnonzero(np.diff(values) > CLOSE)
        # The outermost deviates are cut off, so that steps to them never get small; they end where they are narrow.
        wide = wide[np.diff(means)[wide] > 1e-9]
        if not len(wide):
            break
        # Four pieces at a time: the distribution of many items rises in a hundredth of the range.
        new = (means[wide, None] + np.diff(means)[wide, None] * np.array([0.25, 0.5, 0.75])).ravel()
        means, values = np.append(means, new), np.append(values, deviates(new))
        order = np.argsort(means)
        means, values = means[order], values[order]
    # Quadrature leaves noise of 1e-12, which must not make the function fall.
    return Belief(means, np.maximum.accumulate(values))


def meld(parts: Sequence[tuple[Belief, float]], alpha: float) -> float:
    """The 1 - alpha quantile of the weighted sum of independent variables, in [-1, 1].

    Args:
        parts: distribution and weight of each; weights are positive and sum to 1.
        alpha: probability that is left above.

    """
    spectra = [spectrum(part, weight) for part, weight in parts]
    return quantile(spectra, [weight for _, weight in parts], alpha)


def spectrum(part: Belief, weight: float, lattice: int = LATTICE) -> Complexes:
    """Fourier transform of a weighted variable's masses on the lattice."""
    # The variable is moved to start at 0; the mass of a cell sits in its middle.
    edges = np.arange(-1.0, lattice * 2 + 1) / lattice
    return np.asarray(np.fft.rfft(np.diff(part.at(edges / weight - 1)), 4 * lattice))


def quantile(spectra: Sequence[Complexes], weights: Sequence[float], alpha: float, lattice: int = LATTICE) -> float:
    """The 1 - alpha quantile of the sum of the variables behind `spectra`."""
    above = _tail(spectra, lattice)
    cell = int(np.flatnonzero(above > alpha)[-1])
    mass = above[cell] - (above[cell + 1] if cell + 1 < len(above) else 0.0)
    share = (above[cell] - alpha) / mass
    # Cell k of a variable reaches from k - 1 to k; sums of middles, spread evenly over a cell again.
    start = cell - len(spectra) / 2 - 0.5
    return float(np.clip((start + share) / lattice - sum(weights), -1.0, 1.0))


def exceedance_of_sum(parts: Sequence[tuple[Belief, float]], value: float, lattice: int = LATTICE) -> float:
    """P(weighted sum > value): the alpha at which `meld` gives `value`."""
    above = _tail([spectrum(part, weight, lattice) for part, weight in parts], lattice)
    place = (value + sum(weight for _, weight in parts)) * lattice + len(parts) / 2 + 0.5
    cell = math.floor(place)
    if not 0 <= cell < len(above):
        return 1.0 if cell < 0 else 0.0
    after = above[cell + 1] if cell + 1 < len(above) else 0.0
    return float(np.clip(above[cell] + (place - cell) * (after - above[cell]), 0.0, 1.0))


def _tail(spectra: Sequence[Complexes], lattice: int) -> Floats:
    """Mass of the sum of the variables behind `spectra` from each cell of the lattice on."""
    product = spectra[0]
    for other in spectra[1:]:
        product = product * other
    return np.asarray(np.cumsum(np.fft.irfft(product, 4 * lattice)[::-1])[::-1])
