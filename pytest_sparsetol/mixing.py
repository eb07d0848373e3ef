"""A mix decided from its groups' cells, wherever those ran."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_sparsetol.cells import planned_items
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.result import CellResult, Evidence, MixResult, Verdict, lost, points
from pytest_sparsetol.verdict import undecidable_mix


@dataclass(frozen=True)
class Terms:
    """What of a contract decides its mixes and what is red: enough to do so without the contract.

    Attributes:
        contract: SHA-256 of the file and the profile in force.
        confidence: of the verdicts.
        items: planned items by group.
        inconclusive: whether such a verdict fails or warns.
        untestable: likewise.

    """

    contract: str
    confidence: float
    items: dict[str, int]
    inconclusive: Literal["fail", "warn"]
    untestable: Literal["fail", "warn"]

    def warns_of(self, verdict: Verdict) -> bool:
        """Whether the contract only wants to be warned of a verdict."""
        return {"INCONCLUSIVE": self.inconclusive, "UNTESTABLE": self.untestable}.get(verdict) == "warn"


def terms(contract: Contract) -> Terms:
    """The terms of a contract, its profile laid over it."""
    gate = contract.spec.gate
    return Terms(
        contract.digest,
        gate.confidence,
        {group: planned_items(contract, group) for group in contract.spec.mix},
        gate.inconclusive,
        gate.untestable,
    )


def terms_of_all(contracts: Sequence[Contract]) -> Terms:
    """The terms of a file, whose models share them."""
    first = terms(contracts[0])
    if len(contracts) == 1:
        return first
    return dataclasses.replace(
        first, contract=hashlib.sha256("".join(contract.digest for contract in contracts).encode()).hexdigest()
    )


def weigh(
    base: MixResult,
    results: Mapping[str, CellResult],
    evidence: Mapping[str, Evidence],
    problems: Mapping[str, tuple[Verdict, str]],
    decided_by: Terms,
) -> MixResult:
    """Decide a mix.

    Args:
        base: the mix as it stands before.
        results: cells of its groups, where there are some.
        evidence: paired outcomes of the same groups.
        problems: verdict and reason of groups without a cell.
        decided_by: the contract's terms.

    """
    from pytest_sparsetol.statistics import Plan, decide_mix

    stuck = undecidable_mix(base.groups, results, problems)
    if stuck is not None:
        return dataclasses.replace(base, verdict=stuck[0], reason=stuck[1])
    decision = decide_mix(
        evidence,
        base.groups,
        base.threshold,
        decided_by.confidence,
        {group: Plan(decided_by.items[group]) for group in base.groups},
    )
    n = sum(result.items for result in results.values())
    reason = f"{lost(decision.mean)} of the mix (allowed {points(base.threshold)}, n={n})"
    if decision.verdict == "INCONCLUSIVE":
        reason += f"; {decision.reason}"
    return dataclasses.replace(
        base,
        verdict=decision.verdict,
        reason=reason,
        degradation=decision.mean,
        lower=decision.lower,
        upper=decision.upper,
    )
