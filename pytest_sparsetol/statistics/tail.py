"""Probability that a weighted sum of gamma variables is positive, by quadrature: what the exact limits need.

For independent G_j ~ Gamma(n_j) and real weights a_j, Q = sum a_j G_j has the Laplace transform
M(s) = prod (1 - a_j s)^(-n_j), and P(Q > 0) is the integral of M(s) / (2 pi i s) along any line that crosses the real
axis between 0 and 1 / max a_j (Gil-Pelaez 1951 and Imhof 1961 integrate along the imaginary axis itself). The path
here goes through the saddle point and bends along the direction of steepest descent: a hyperbola, so that the integrand
neither oscillates nor cancels, whether one weight dominates or thousands share the load. The trapezium rule converges
exponentially on it. Absolute error below 1e-10 (tests compare with closed forms, halved steps and simulation).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

STEP = 0.1
"""Of the trapezium rule in the hyperbola's parameter; the error is about exp(-pi / STEP)."""
NODES_AT_A_TIME = 12
NEGLIGIBLE = 1e-15
MOST_BLOCKS = 80
FACTORS = 8
"""Multiplied before a logarithm is taken: few enough not to overflow."""
MOST_ELEMENTS = 1_500_000
"""Complex numbers held at a time: 24 MB."""


def probability_positive(weights: npt.ArrayLike, counts: npt.ArrayLike) -> Floats:
    """P(sum a_j G_j > 0) along the last axis.

    Args:
        weights: a_j, any reals, broadcast against `counts`.
        counts: n_j >= 0, not necessarily whole; 0 leaves a term out.

    Returns:
        One probability per row; 0 where no weight is positive, so that a sum that is always 0 is not positive.

    """
    a, n = np.broadcast_arrays(np.asarray(weights, dtype=np.float64), np.asarray(counts, dtype=np.float64))
    shape, terms = a.shape[:-1], a.shape[-1]
    a, n = a.reshape(-1, terms), n.reshape(-1, terms)
    a = np.where(n > 0, a, 0.0)
    largest = a.max(axis=1)
    result = np.where(largest > 0, 1.0, 0.0)
    mixed = np.flatnonzero((largest > 0) & (a.min(axis=1) < 0))
    size = max(1, MOST_ELEMENTS // (terms * NODES_AT_A_TIME))
    for begin in range(0, len(mixed), size):
        rows = mixed[begin : begin + size]
        # Only ratios of weights matter; scaled like this the saddle point lies in (0, 1).
        result[rows] = _integrate(a[rows] / largest[rows, None], n[rows])
    return result.reshape(shape)


def _integrate(a: Floats, n: Floats) -> Floats:
    centre = _saddle(a, n)
    spread = a / (1 - a * centre[:, None])
    second = (n * spread**2).sum(axis=1) + centre**-2
    third = 2 * ((n * spread**3).sum(axis=1) - centre**-3)
    scale = 1 / np.sqrt(second)
    # The hyperbola's curvature at the saddle is that of the path of steepest descent.
    skew = third * scale**3 / 3
    sine = 2 * skew / (1 + np.sqrt(1 + 4 * skew**2))
    cosine = np.sqrt(1 - sine**2)
    once = (n == 1).all(axis=0)
    total = np.zeros(len(a))
    for block in range(MOST_BLOCKS):
        t = STEP * np.arange(block * NODES_AT_A_TIME, (block + 1) * NODES_AT_A_TIME)
        s = centre[:, None] + scale[:, None] * (sine[:, None] * (np.cosh(t) - 1) + 1j * cosine[:, None] * np.sinh(t))
        slope = scale[:, None] * (sine[:, None] * np.sinh(t) + 1j * cosine[:, None] * np.cosh(t))
        exponent = -_logarithms(a, n, s, once) - np.log(s)
        values = np.exp(exponent) * slope
        if block == 0:
            values[:, 0] /= 2
        total += values.imag.sum(axis=1)
        if np.abs(values[:, -1]).max() < NEGLIGIBLE:
            break
    return np.asarray(np.clip(total * (STEP / np.pi), 0.0, 1.0))


def _logarithms(a: Floats, n: Floats, s: Complexes, once: npt.NDArray[np.bool_]) -> Complexes:
    """Sum of n_j log(1 - a_j s). Logarithms are what takes time, so terms that count once are multiplied first."""
    total = np.zeros(s.shape, dtype=np.complex128)
    if not once.all():
        factors = 1 - a[:, None, ~once] * s[:, :, None]
        total += np.einsum("rj,rkj->rk", n[:, ~once], np.log(factors))
    if once.any():
        weights = a[:, once]
        # Weights of 0 fill up the last product; the branch of each logarithm does not matter to its exponential.
        weights = np.pad(weights, ((0, 0), (0, -weights.shape[1] % FACTORS)))
        factors = 1 - weights[:, None, :] * s[:, :, None]
        total += np.log(factors.reshape(*s.shape, -1, FACTORS).prod(axis=3)).sum(axis=2)
    return total


def _saddle(a: Floats, n: Floats) -> Floats:
    """Where M(s) / s is least between 0 and 1, roughly: any point there is right, this one is quick."""
    low, high = np.zeros(len(a)), np.ones(len(a))
    for _ in range(26):
        middle = (low + high) / 2
        rising = (n * a / (1 - a * middle[:, None])).sum(axis=1) > 1 / middle
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return (low + high) / 2
