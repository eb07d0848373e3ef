"""Exact one-sided limits of a mean of differences in [-1, 1].

Gaffke's limit (N. Gaffke 2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
nonnegative variable"; E. Learned-Miller and P. Thomas 2019, arXiv 1905.06208): add the largest possible value, 1, to
the n values seen, weigh the n + 1 by the spacings of n uniform variables, and take the 1 - alpha quantile of the
weighted mean. With zeros and ones it is Clopper-Pearson's limit, for graded differences it is much tighter than
Hoeffding's. That it covers for every distribution is proven for some families and a conjecture that no one has broken
for the rest; `benchmarks/verdicts.py` measures it on the kinds of scores that are gated here.

The authors simulate the spacings. Here the quantile is computed: spacings are exponential variables over their sum, so
P(weighted mean <= t) = P(sum G_i (x_i - t) <= 0), see `tail`.

Clusters: items that share a document are one draw, so the unit is the cluster. For a cluster of m items with total T,
T - t m has mean 0 at the true item mean t and is at most M (1 - t), M the size of the largest cluster; Gaffke's test of
that mean, for each t, gives the limit. Singletons give the plain limit back; unequal sizes are weighed by their items.
M is taken from the sample.
"""

from __future__ import annotations

import numpy as np

from pytest_sparsetol.statistics.planning import limit_without_loss
from pytest_sparsetol.statistics.sample import Floats, Sample
from pytest_sparsetol.statistics.tail import probability_positive

TOLERANCE = 1e-12


def exceedance(sample: Sample, means: Floats) -> Floats:
    """P(weighted mean > t) for each t of `means`: the p-value of "the mean is at least t"; falls in t."""
    largest = sample.sizes.max()
    seen = (sample.totals[None, :] - means[:, None] * sample.sizes[None, :]) / largest
    weights = np.concatenate([seen, 1 - means[:, None]], axis=1)
    return probability_positive(weights, np.append(sample.counts, 1.0))


def upper_limit(sample: Sample, alpha: float) -> float:
    """The mean lies above this with probability at most `alpha`; a fraction in [-1, 1]."""
    worst = sample.totals >= sample.sizes
    if worst.all():
        return 1.0
    if (sample.sizes == 1).all() and (~worst).sum() == 1:
        return _beta_limit(float(sample.totals[~worst][0]), sample.counts[~worst].sum(), sample.counts.sum(), alpha)
    return _solve(sample, alpha)


def lower_limit(sample: Sample, alpha: float) -> float:
    """The mean lies below this with probability at most `alpha`; a fraction in [-1, 1]."""
    return -upper_limit(sample.mirrored(), alpha)


def _beta_limit(low: float, at_low: float, items: float, alpha: float) -> float:
    """One value and perhaps some ones: the spacings add up to a Beta variable."""
    if at_low == items:
        share = limit_without_loss(int(items), alpha) if items == int(items) else 1 - alpha ** (1 / items)
    else:
        from scipy.special import betainccinv

        share = float(betainccinv(items - at_low + 1, at_low, alpha))
    return low + (1 - low) * share


def _solve(sample: Sample, alpha: float) -> float:
    from scipy.optimize import brentq
    from scipy.special import ndtri

    def gaps(means: Floats) -> Floats:
        # Normal deviates make the function nearly straight, which saves steps.
        tails = np.clip(exceedance(sample, means), 1e-300, 1 - 1e-16)
        return np.asarray(ndtri(tails) - ndtri(alpha))

    # The limit is a little above the mean for many items and anywhere for few: halve the distance again and again.
    low = float((sample.totals / sample.sizes).min())
    means = sample.mean + (1 - sample.mean) * np.append(0.5 ** np.arange(11, 0, -1), 1 - TOLERANCE)
    above = np.flatnonzero(gaps(means) <= 0)
    if not len(above):
        return 1.0
    first = int(above[0])
    bracket = (low if first == 0 else means[first - 1], means[first])
    return float(brentq(lambda mean: gaps(np.array([mean]))[0], *bracket, xtol=TOLERANCE, rtol=1e-14))
