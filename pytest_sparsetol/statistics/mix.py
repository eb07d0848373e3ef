"""The verdict on a mix of task groups, weighed by traffic."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics.decision import Decision, judge
from pytest_sparsetol.statistics.errors import EvidenceError
from pytest_sparsetol.statistics.limits import lower_limit, upper_limit
from pytest_sparsetol.statistics.melding import belief, meld
from pytest_sparsetol.statistics.outlook import MOST_TIMES, describe
from pytest_sparsetol.statistics.planning import check_gate
from pytest_sparsetol.statistics.sample import collect


def decide_mix(
    evidence: Mapping[str, Evidence], weights: Mapping[str, float], threshold: float, confidence: float
) -> Decision:
    """Judge the mean loss of the traffic: the groups' mean losses, weighed by their shares.

    The same rule as for a cell, on limits that combine the groups' evidence (see `melding`).

    Args:
        evidence: paired outcomes by group.
        weights: share of traffic by group; above 0, sum 1. Every group needs evidence.
        threshold: allowed mean loss of the mix, a fraction in (0, 1].
        confidence: of each one-sided limit.

    Raises:
        EvidenceError: weights that are no shares, a group without evidence, or evidence that cannot be judged.

    """
    check_gate(threshold, confidence)
    _check_weights(evidence, weights)
    alpha = 1 - confidence
    samples = {group: collect(evidence[group].differences, evidence[group].clusters) for group in weights}
    mean = sum(weights[group] * sample.mean for group, sample in samples.items())
    if len(samples) == 1:
        (sample,) = samples.values()
        lower, upper = lower_limit(sample, alpha), upper_limit(sample, alpha)
    else:
        upper = meld([(belief(samples[group]), weights[group]) for group in weights], alpha)
        lower = -meld([(belief(samples[group].mirrored()), weights[group]) for group in weights], alpha)
    items = int(sum(sample.items for sample in samples.values()))
    return judge(mean, lower, upper, threshold, items, lambda: _outlook(mean, lower, upper, threshold, items))


def _check_weights(evidence: Mapping[str, Evidence], weights: Mapping[str, float]) -> None:
    if not weights:
        raise EvidenceError("a mix needs at least one group")
    for group, weight in weights.items():
        if not 0 < weight <= 1:
            raise EvidenceError(f"share of traffic {weight!r} of {group} is not above 0 and at most 1")
        if group not in evidence:
            raise EvidenceError(f"no evidence for {group}, which is {100 * weight:g} % of traffic")
    total = math.fsum(weights.values())
    if abs(total - 1) > 1e-6:
        raise EvidenceError(f"shares of traffic sum to {total:g}, not 1")


def _outlook(mean: float, lower: float, upper: float, threshold: float, items: int) -> str:
    """Limits of a mean close in with the square root of the items, or faster."""
    if mean > threshold:
        factor = ((mean - lower) / mean) ** 2
    elif mean < threshold:
        factor = ((upper - mean) / (threshold - mean)) ** 2
    else:
        factor = math.inf
    more = math.ceil((factor - 1) * items) if factor <= MOST_TIMES else None
    sentence = describe(more, mean, threshold, items)
    return sentence if more is None else f"{sentence}, spread over the groups as before"
