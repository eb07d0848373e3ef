"""The levels for a contract: the highest ones shown safe at which a fresh gate is green with enough power."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Proposal:
    """Levels of each policy by length, the power of the whole, and why other policies are left out."""

    levels: dict[str, dict[int, float]]
    power: float
    left_out: dict[str, str]


def propose(contract: Contract, climbed: Sequence[tuple[Ladder, LadderResult]], safe: Safe) -> Proposal:
    """Choose levels so that all cells and mixes of the contract pass on fresh items with power `POWER`.

    The power is shared out evenly over policies and lengths; a policy that cannot have its part at some length is left
    out, and the others share again. Cells are taken as independent, which understates the power: policies share items.
    """
    whole_policies = [(ladder, result) for ladder, result in climbed if ladder.policy.whole]
    most = POWER ** (1 / max(1, len(whole_policies)))
    powers = {
        (ladder.policy.name, ladder.length): _powers(contract, ladder, result, safe, most)
        for ladder, result in whole_policies
    }
    policies = list(dict.fromkeys(name for name, _ in powers))
    left_out: dict[str, str] = {}
    while policies:
        needed = POWER ** (1 / (len(policies) * len(contract.spec.lengths)))
        chosen: dict[str, dict[int, float]] = {name: {} for name in policies}
        whole = 1.0
        for name in policies:
            for length in contract.spec.lengths:
                enough = [level for level, power in powers[name, length].items() if power >= needed]
                if enough:
                    chosen[name][length] = max(enough)
                    whole *= powers[name, length][max(enough)]
        lacking = {name: _why(contract, name, chosen[name], powers, needed) for name in policies}
        out = {name: reason for name, reason in lacking.items() if reason is not None}
        if not out:
            return Proposal(chosen, whole, left_out)
        left_out.update(out)
        policies = [name for name in policies if name not in out]
    return Proposal({}, 0.0, left_out)


def _powers(contract: Contract, ladder: Ladder, result: LadderResult, safe: Safe, most: float) -> dict[float, float]:
    """Predicted power by level, of those shown safe for every group and the mix, from the highest down to `most`."""
    gate, weights = contract.spec.gate, contract.spec.mix
    warned = gate.untestable == "warn"
    untestable = {group for group in weights if any(one.verdict == "UNTESTABLE" for one in result.of(group))}
    needed = [group for group in (*weights, MIX) if not (warned and untestable and group in {*untestable, MIX})]
    limits = [safe.get((ladder.policy.name, ladder.length, group)) for group in needed]
    if not set(needed) - {MIX} or any(limit is None for limit in limits):
        return {}
    highest = min(limit for limit in limits if limit is not None)
    fresh = FreshGate(
        items={group: planned_items(contract, group) for group in weights},
        thresholds={group: gate.threshold(group) for group in weights},
        weights=weights,
        mix_threshold=gate.mix_threshold(),
        confidence=gate.confidence,
    )
    found: dict[float, float] = {}
    for level in reversed([level for level in ladder.levels if level <= highest]):
        groups = result.groups_at(level)
        found[level] = predicted_power(
            {group: one.evidence for group, one in groups.items() if one.evidence is not None}, fresh
        )
        if found[level] >= most:
            # What is asked of a level only falls as policies are left out.
            break
    return found


def _why(
    contract: Contract,
    name: str,
    chosen: Mapping[int, float],
    powers: Mapping[tuple[str, int], Mapping[float, float]],
    needed: float,
) -> str | None:
    """Why a policy has no level at some length, None where it has one at each."""
    for length in contract.spec.lengths:
        if length not in chosen:
            known = powers[name, length]
            if not known:
                return f"no level is shown safe for all groups and the mix at {show_length(length)}"
            return (
                f"at {show_length(length)} a fresh gate would pass with power {max(known.values()):.2f} at most, "
                f"its part of {POWER:g} for the whole contract is {needed:.3f}"
            )
    return None
