"""The levels for a contract: the highest ones shown safe at which a fresh gate is green with enough power."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparsetol_suites.lengths import show_length

from pytest_sparsetol.cells import MIX, planned_items
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.statistics.prediction import FreshGate, predicted_power
from pytest_sparsetol.sweep.ladder import Ladder
from pytest_sparsetol.sweep.outcome import LadderResult

POWER = 0.9
"""With which a fresh gate of the whole contract passes, as predicted."""

Safe = Mapping[tuple[str, int, str], float | None]
"""The largest sparsity shown safe by policy, length and group."""

Powers = Mapping[str, Mapping[int, Mapping[float, float]]]
"""Predicted power by policy, length and level, of the levels shown safe for every group and the mix."""

Levels = dict[str, dict[int, float]]
"""A level by policy and length."""


@dataclass(frozen=True)
class Proposal:
    """Levels of each policy by length, the power of the whole, and why other policies are left out."""

    levels: Levels
    power: float
    left_out: dict[str, str]


def propose(contract: Contract, climbed: Sequence[tuple[Ladder, LadderResult]], safe: Safe) -> Proposal:
    """Choose levels so that all cells and mixes of the contract pass on fresh items with power `POWER`."""
    whole = [(ladder, result) for ladder, result in climbed if ladder.policy.whole]
    shown = {(ladder.policy.name, ladder.length): _shown(contract, ladder, result, safe) for ladder, result in whole}
    lacking = {name for (name, _), levels in shown.items() if not levels}
    powers: dict[str, dict[int, dict[float, float]]] = {}
    for ladder, result in whole:
        name, length = ladder.policy.name, ladder.length
        # Where a policy lacks levels at one length, those at others are not asked for: each takes seconds.
        if name not in lacking or not shown[name, length]:
            fresh = {level: _predicted(contract, result, level) for level in shown[name, length]}
            powers.setdefault(name, {})[length] = fresh
    return choose(powers)


def choose(powers: Powers) -> Proposal:
    """The levels, from the predicted power of each.

    Every policy begins at its most powerful levels. While the whole has less than `POWER`, the policy with the least is
    left out. Then levels are raised, always the one that costs the least power, as far as `POWER` allows. Cells are
    taken as independent, which understates the power: policies share items.
    """
    lacking = {name: [length for length, known in one.items() if not known] for name, one in powers.items()}
    left_out = {
        name: f"no level is shown safe for all groups and the mix at {show_length(lengths[0])}"
        for name, lengths in lacking.items()
        if lengths
    }
    levels = {
        name: {length: max(known, key=lambda level: (known[level], level)) for length, known in by_length.items()}
        for name, by_length in powers.items()
        if name not in left_out
    }
    while levels and _power(powers, levels) < POWER:
        weakest = min(levels, key=lambda name: _power(powers, {name: levels[name]}))
        left_out[weakest] = (
            f"with it a fresh gate of all that is left would pass with power {_power(powers, levels):.3f} at most, "
            f"below {POWER:g}"
        )
        del levels[weakest]
    while raised := _raised(powers, levels):
        levels = raised
    return Proposal(levels, _power(powers, levels) if levels else 0.0, left_out)


def _raised(powers: Powers, levels: Levels) -> Levels | None:
    """The levels with the one raised that costs the least power; None where that would be too much."""
    found = [
        {**levels, name: {**chosen, length: level}}
        for name, chosen in levels.items()
        for length in chosen
        for level in powers[name][length]
        if level > chosen[length]
    ]
    best = max(found, key=lambda raised: _power(powers, raised), default=None)
    return None if best is None or _power(powers, best) < POWER else best


def _power(powers: Powers, levels: Levels) -> float:
    """With which every policy passes at every length."""
    return math.prod(powers[name][length][level] for name, one in levels.items() for length, level in one.items())


def _shown(contract: Contract, ladder: Ladder, result: LadderResult, safe: Safe) -> list[float]:
    """Levels that are shown safe for every group and the mix."""
    gate, weights = contract.spec.gate, contract.spec.mix
    warned = gate.untestable == "warn"
    untestable = {group for group in weights if any(one.verdict == "UNTESTABLE" for one in result.of(group))}
    needed = [group for group in (*weights, MIX) if not (warned and untestable and group in {*untestable, MIX})]
    limits = [safe.get((ladder.policy.name, ladder.length, group)) for group in needed]
    if not set(needed) - {MIX} or any(limit is None for limit in limits):
        return []
    highest = min(limit for limit in limits if limit is not None)
    return [level for level in ladder.levels if level <= highest]


def _predicted(contract: Contract, result: LadderResult, level: float) -> float:
    """Power of a fresh gate at a level that was tested."""
    gate, weights = contract.spec.gate, contract.spec.mix
    fresh = FreshGate(
        items={group: planned_items(contract, group) for group in weights},
        thresholds={group: gate.threshold(group) for group in weights},
        weights=weights,
        mix_threshold=gate.mix_threshold(),
        confidence=gate.confidence,
    )
    evidence = {group: one.evidence for group, one in result.groups_at(level).items() if one.evidence is not None}
    return predicted_power(evidence, fresh)
