"""Anytime-valid evidence about a mean: the wealth of one who bets against it, cluster by cluster.

I. Waudby-Smith and A. Ramdas 2024 (J. R. Stat. Soc. B 86, 1-27, arXiv 2010.09686): when the mean difference is at most
m, the product of 1 + l (d - m) over items is a fair or losing game for every stake l that cannot ruin, so it reaches
1 / alpha with probability at most alpha, however often one looks (Ville). Here the game is played with several stakes
at once and the wealths are averaged, which needs no guess of the loss. One bet a cluster: the payoff is the cluster's
total - m * size over the largest size so far, from -(1 + m) to 1 - m.

At a stopping time the wealth has mean at most 1 for the true mean, so that the means at which it is below 1 / alpha
make a limit that holds however the stop was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pytest_sparsetol.statistics.sample import Floats

STAKES = np.array([0.06, 0.12, 0.25, 0.45, 0.7, 0.97])
"""Shares of the wealth put at risk by a difference of -1: small ones for small losses among much change."""
PRIOR = np.array([0.02, 0.05, 0.08, 0.15, 0.2, 0.5])
EDGE = 1e-9


@dataclass
class Bets:
    """The clusters that were bet on, in their order, each scaled by the largest size up to it.

    A cluster's size must not depend on its outcome; that is how items are drawn.
    """

    totals: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    largest: float = 0.0

    def add(self, totals: Floats, sizes: Floats) -> tuple[Floats, Floats]:
        """Scale the next clusters and keep them; returns them scaled."""
        largest = np.maximum(np.maximum.accumulate(sizes), self.largest)
        scaled = totals / largest, sizes / largest
        self.totals.extend(scaled[0])
        self.sizes.extend(scaled[1])
        self.largest = float(largest[-1])
        return scaled

    def truncated(self, clusters: int) -> Bets:
        """The bets on the first so many clusters."""
        return Bets(self.totals[:clusters], self.sizes[:clusters], self.largest)

    def log_wealth(self, means: Floats) -> Floats:
        """Logarithm of the wealth won against "the mean is at most m", for each m of `means` in (-1, 1]."""
        totals, sizes = np.array(self.totals), np.array(self.sizes)
        payoff = (totals[None, :] - means[:, None] * sizes[None, :]) / (1 + means[:, None])
        return average(np.stack([np.log1p(stake * payoff).sum(axis=1) for stake in STAKES], axis=-1))

    def lower_limit(self, alpha: float) -> float:
        """The mean lies below this with probability at most `alpha`, whenever one stopped."""
        from scipy.optimize import brentq

        def gap(mean: float) -> float:
            return float(self.log_wealth(np.array([mean]))[0]) + float(np.log(alpha))

        if gap(-1 + EDGE) < 0:
            return -1.0
        return float(brentq(gap, -1 + EDGE, 1.0, xtol=1e-10))

    def upper_limit(self, alpha: float) -> float:
        """The mean lies above this with probability at most `alpha`, whenever one stopped."""
        return -self.mirrored().lower_limit(alpha)

    def mirrored(self) -> Bets:
        """The same with gains and losses exchanged."""
        return Bets([-total for total in self.totals], self.sizes, self.largest)


def average(log_wealths: Floats) -> Floats:
    """Logarithm of the wealth over all stakes, which are the last axis."""
    top = log_wealths.max(axis=-1, keepdims=True)
    return np.asarray(np.log((PRIOR * np.exp(log_wealths - top)).sum(axis=-1)) + top[..., 0])


def gains(totals: Floats, sizes: Floats, mean: float) -> Floats:
    """Logarithm of what each cluster multiplies the wealth of each stake with; stakes are the last axis."""
    payoff = (totals - mean * sizes) / (1 + mean)
    return np.asarray(np.log1p(payoff[..., None] * STAKES))
