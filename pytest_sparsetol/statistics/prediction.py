"""How likely a fresh gate passes, given what was seen: a level at the very edge would fail every other time.

Predicted from the Bayesian bootstrap (D. Rubin 1981, Ann. Statist. 9, 130-134): the shares of the outcomes seen are
drawn from a Dirichlet distribution, fresh items from those shares, and the gate's rule decides. Half an item that is
lost entirely is added to each group, as Jeffreys' prior does for counts: without it a sample without losses would
promise none for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics.limits import exceedance
from pytest_sparsetol.statistics.melding import belief, quantile, spectrum
from pytest_sparsetol.statistics.plan import Plan
from pytest_sparsetol.statistics.sample import Floats, Sample, collect

DRAWS = 1000
"""Standard error of a power of 0.9: 0.009."""
PRIOR_ITEMS = 0.5
LATTICE = 2**12


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
    drawn = {group: _fresh(random, one, gate.items[group]) for group, one in evidence.items()}
    passed = np.ones(DRAWS, dtype=bool)
    for group, (kinds, counts) in drawn.items():
        passed &= _pass(kinds, counts, gate.thresholds[group], alpha)
    if set(gate.weights) <= set(drawn):
        passed[passed] = _mixes_pass(
            {group: drawn[group] for group in gate.weights}, gate, np.flatnonzero(passed).tolist()
        )
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


def _pass(kinds: Sample, counts: Floats, threshold: float, alpha: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    rows, inverse = np.unique(counts, axis=0, return_inverse=True)
    means = np.array([threshold])
    safe = np.array([exceedance(_sample(kinds, row), means)[0] <= alpha for row in rows])
    return np.asarray(safe[inverse.ravel()])


def _mixes_pass(drawn: Mapping[str, tuple[Sample, Floats]], gate: FreshGate, which: Sequence[int]) -> list[bool]:
    weights = [gate.weights[group] for group in drawn]
    spectra: dict[tuple[str, bytes], np.ndarray[tuple[int], np.dtype[np.complex128]]] = {}
    answers: dict[tuple[bytes, ...], bool] = {}
    outcomes = []
    for draw in which:
        key = tuple(counts[draw].tobytes() for _, counts in drawn.values())
        if key not in answers:
            parts = []
            for (group, (kinds, counts)), name in zip(drawn.items(), key, strict=True):
                if (group, name) not in spectra:
                    fresh = belief(_sample(kinds, counts[draw]), Plan(gate.items[group]).late)
                    spectra[group, name] = spectrum(fresh, gate.weights[group], LATTICE)
                parts.append(spectra[group, name])
            answers[key] = quantile(parts, weights, 1 - gate.confidence, LATTICE) <= gate.mix_threshold
        outcomes.append(answers[key])
    return outcomes


def _sample(kinds: Sample, counts: Floats) -> Sample:
    there = counts > 0
    return Sample(kinds.totals[there], kinds.sizes[there], counts[there])
