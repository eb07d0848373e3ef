"""The verdict on a mix of task groups, weighed by traffic."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics.betting import Bets
from pytest_sparsetol.statistics.decision import ROUNDING, Decision, judge
from pytest_sparsetol.statistics.errors import EvidenceError
from pytest_sparsetol.statistics.limits import lower_limit, upper_limit
from pytest_sparsetol.statistics.melding import Belief, belief, belief_of_bets, exceedance_of_sum, meld
from pytest_sparsetol.statistics.outlook import describe, more_items
from pytest_sparsetol.statistics.plan import Plan
from pytest_sparsetol.statistics.planning import EARLY, check_gate
from pytest_sparsetol.statistics.sample import Floats, Sample, check_differences, merge
from pytest_sparsetol.statistics.sequential import together

COARSE = 2**13
"""Cells of the lattice on which an outlook is computed: it is good to a hundredth, in a quarter of the time."""


def decide_mix(
    evidence: Mapping[str, Evidence],
    weights: Mapping[str, float],
    threshold: float,
    confidence: float = 0.95,
    plans: Mapping[str, Plan] | None = None,
) -> Decision:
    """Judge the mean loss of the traffic: the groups' mean losses, weighed by their shares.

    The same rule as for a cell, on limits that combine the groups' evidence (see `melding`). How a group stopped is
    told by its plan and its number of items: one that stopped at a look enters with limits at that look's share of
    alpha, one that stopped between looks with limits that hold at any stop. Each kind of stop has its part of alpha, so
    that the mix may rest on all groups, whatever made them stop.

    Args:
        evidence: paired outcomes by group, all items that ran, in their order.
        weights: share of traffic by group; above 0, sum 1. Every group needs evidence.
        threshold: allowed mean loss of the mix, a fraction in (0, 1].
        confidence: of each one-sided limit.
        plans: the plan of each group's cell; None: the numbers of items were fixed beforehand.

    Raises:
        EvidenceError: weights that are no shares, a group without evidence or plan, or evidence that cannot be judged.

    """
    check_gate(threshold, confidence)
    _check_weights(evidence, weights)
    alpha = 1 - confidence
    groups = {group: clusters_of(evidence[group]) for group in weights}
    mean = float(sum(weights[group] * totals.sum() / sizes.sum() for group, (totals, sizes) in groups.items()))
    items = int(sum(sizes.sum() for _, sizes in groups.values()))
    if len(groups) == 1 and plans is None:
        ((totals, sizes),) = groups.values()
        sample = merge(totals, sizes)
        lower, upper = lower_limit(sample, alpha), upper_limit(sample, alpha)
    else:
        losses, gains = [], []
        for group, (totals, sizes) in groups.items():
            plan = _plan(plans, group)
            losses.append((group_belief(totals, sizes, plan), weights[group]))
            gains.append((group_belief(-totals, sizes, plan), weights[group]))
        lower, upper = -meld(gains, alpha), meld(losses, alpha)
    return judge(mean, lower, upper, threshold, items, lambda: _outlook(groups, weights, plans, mean, threshold, alpha))


def group_belief(totals: Floats, sizes: Floats, plan: Plan | None) -> Belief:
    """Upper limits of a group at all confidences, given its clusters in their order and how it may have stopped.

    The chance that a limit errs is at most the alpha it is asked for: the looks' shares and that of early stops add up
    to no more than 1.
    """
    level = _level_of_look(sizes, plan)
    if level is not None:
        return belief(merge(totals, sizes), level)
    bets = Bets()
    bets.add(totals, sizes)
    # Without early FAIL a run that ends between looks was cut off, for reasons that are none of the plan's.
    return belief_of_bets(bets, EARLY if plan is None or plan.early_fail else 1.0)


def _level_of_look(sizes: Floats, plan: Plan | None) -> float | None:
    """Share of alpha of the look that a group stopped at, None where it stopped between looks."""
    if plan is None:
        return 1.0
    ended = sizes.sum()
    for look, share in zip(plan.looks, plan.shares, strict=True):
        # A look takes place where the cluster ends that reaches it: the group stopped there if that is its last.
        if ended >= look > ended - sizes[-1]:
            return plan.late * share
    return None


def clusters_of(evidence: Evidence) -> tuple[Floats, Floats]:
    """Total and size of each cluster, in the order of their first items."""
    values, names = together(check_differences(evidence.differences, evidence.clusters), evidence.clusters)
    begins = [place for place, name in enumerate(names) if place == 0 or names[place - 1] != name]
    return np.add.reduceat(values, begins), np.diff(np.array([*begins, len(values)], dtype=np.float64))


def _plan(plans: Mapping[str, Plan] | None, group: str) -> Plan | None:
    if plans is None:
        return None
    if group not in plans:
        raise EvidenceError(f"no plan for {group}, though other groups have one")
    return plans[group]


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


def _outlook(
    groups: Mapping[str, tuple[Floats, Floats]],
    weights: Mapping[str, float],
    plans: Mapping[str, Plan] | None,
    mean: float,
    threshold: float,
    alpha: float,
) -> str:
    """About how many more items would decide, if each group that can run on brought the same values again and again."""
    sign, bound = (-1.0, 0.0) if mean > threshold + ROUNDING else (1.0, threshold)
    growing: dict[str, tuple[Sample, float]] = {}
    ended: dict[str, Belief] = {}
    for group, (totals, sizes) in groups.items():
        level = _level_of_look(sizes, _plan(plans, group))
        if level is None:
            # Were more items planned, it would meet the same ones first and end where it did.
            ended[group] = group_belief(sign * totals, sizes, _plan(plans, group))
        else:
            growing[group] = merge(sign * totals, sizes), level

    def chance(factor: float) -> float:
        grown = {group: belief(sample.times(factor), level) for group, (sample, level) in growing.items()}
        return exceedance_of_sum([(part, weights[group]) for group, part in (grown | ended).items()], bound, COARSE)

    items = sum(sample.items for sample, _ in growing.values())
    more = more_items(chance, alpha, items) if growing else None
    if more is None and ended:
        return f"more items would not decide: {', '.join(ended)} ended early"
    sentence = describe(more, mean, threshold, items)
    if more is None:
        return sentence
    return f"{sentence}, spread over {', '.join(growing) if ended else 'the groups'} as before"
