"""How likely a fresh gate passes, given what was seen: a level at the very edge would fail every other time.

Predicted from the Bayesian bootstrap (D. Rubin 1981, Ann. Statist. 9, 130-134): the shares of the outcomes seen are
drawn from a Dirichlet distribution, fresh items from those shares, and the gate's rule decides. Half an item that is
lost entirely is added to each group, as Jeffreys' prior does for counts: without it a sample without losses would
promise none for ever.

The limit of the mix is put together from those of its groups by variance recovery (G. Zou and A. Donner 2008, Stat.
Med. 27, 1693-1702), which is close to the gate's own and takes a hundredth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics.limits import upper_limit
from pytest_sparsetol.statistics.sample import Floats, Sample, collect

DRAWS = 400
"""Standard error of a power of 0.9: 0.015."""
PRIOR_ITEMS = 0.5


@dataclass(frozen=True)
class FreshGate:
    """What a fresh gate will ask of each group and of the mix.

    Attributes:
        items: planned for each group.
        thresholds: of each group's cell.
        weights: shares of traffic.
        mix_threshold: of the mix.
        confidence: of the verdicts.

    """

    items: Mapping[str, int]
    thresholds: Mapping[str, float]
    weights: Mapping[str, float]
    mix_threshold: float
    confidence: float


def predicted_power(evidence: Mapping[str, Evidence], gate: FreshGate, seed: int = 0) -> float:
    """Probability that all groups of a deployment at a length, and their mix, PASS on fresh items.

    The few runs that early FAIL would end although they pass at their last look are counted as passing.
    """
    random = np.random.default_rng(seed)
    alpha = 1 - gate.confidence
    passed = np.ones(DRAWS, dtype=bool)
    mean, spread = np.zeros(DRAWS), np.zeros(DRAWS)
    for group, one in evidence.items():
        means, limits = _limits(*_fresh(random, one, gate.items[group]), alpha)
        passed &= limits <= gate.thresholds[group]
        mean += gate.weights[group] * means
        spread += (gate.weights[group] * (limits - means)) ** 2
    if set(gate.weights) == set(evidence):
        passed &= mean + np.sqrt(spread) <= gate.mix_threshold
    return float(passed.mean())


def _fresh(random: np.random.Generator, evidence: Evidence, items: int) -> tuple[Sample, Floats]:
    """Kinds of clusters, and how many of each come in every draw of `items` items: `[draws, kinds]`."""
    seen = collect(evidence.differences, evidence.clusters)
    size = seen.items / seen.counts.sum()
    kinds = Sample(
        np.append(seen.totals, size), np.append(seen.sizes, size), np.append(seen.counts, PRIOR_ITEMS / size)
    )
    shares = random.dirichlet(kinds.counts, DRAWS)
    return kinds, random.multinomial(max(1, round(items / size)), shares).astype(np.float64)


def _limits(kinds: Sample, counts: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Mean and upper limit of every draw."""
    rows, inverse = np.unique(counts, axis=0, return_inverse=True)
    samples = [_sample(kinds, row) for row in rows]
    means = np.array([sample.mean for sample in samples])
    limits = np.array([upper_limit(sample, alpha) for sample in samples])
    return means[inverse.ravel()], limits[inverse.ravel()]


def _sample(kinds: Sample, counts: Floats) -> Sample:
    there = counts > 0
    return Sample(kinds.totals[there], kinds.sizes[there], counts[there])
