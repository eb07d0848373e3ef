"""The cells of a contract: deployment x group x length, and the mix of each deployment and length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sparsetol_suites.lengths import show_length

from pytest_sparsetol.contract import Contract
from pytest_sparsetol.methods.base import PHASES
from pytest_sparsetol.result import CellResult, PhaseSparsity, Verdict

MIX = "mix"


@dataclass(frozen=True)
class Cell:
    """One test: a group's loss under a deployment at a length. The group `mix` weighs all groups by traffic.

    Attributes:
        model: its name where the contract has several, None otherwise.

    """

    deployment: str
    group: str
    length: int
    model: str | None = None

    @property
    def policy(self) -> str:
        """What it gates: `quest-10x`, or `larger/quest-10x` where the contract has several models."""
        return policy_name(self.model, self.deployment)

    @property
    def name(self) -> str:
        """`multi_hop[2k]`."""
        return f"{self.group}[{show_length(self.length)}]"

    @property
    def is_mix(self) -> bool:
        """Whether this is the traffic-weighted verdict."""
        return self.group == MIX


def policy_name(model: str | None, deployment: str) -> str:
    """The middle part of node ids."""
    return deployment if model is None else f"{model}/{deployment}"


def policy_of(node_id: str) -> str:
    """The same of a cell or mix, given its node id."""
    return node_id.rsplit("::", 2)[-2]


def cells(contract: Contract) -> Iterator[Cell]:
    """All cells in the order of the file: by deployment, length and group, each length's mix after its groups."""
    model = contract.model_name if contract.among else None
    for deployment in contract.spec.deployments:
        for length in contract.spec.lengths:
            for group in (*contract.spec.mix, MIX):
                yield Cell(deployment, group, length, model)


def planned_items(contract: Contract, group: str, most: int | None = None) -> int:
    """Items that a group's cells run: of at most `most`, the contract's by default, those that split over its tasks."""
    tasks = len(contract.suite.of_group(group))
    return (contract.spec.gate.items.max if most is None else most) // tasks * tasks


def empty_result(contract: Contract, cell: Cell, node_id: str, decided: Verdict, reason: str) -> CellResult:
    """A cell of which nothing was measured."""
    return CellResult(
        contract=contract.path.name,
        model=contract.model_name,
        deployment=cell.deployment,
        group=cell.group,
        length=cell.length,
        verdict=decided,
        reason=reason,
        threshold=contract.spec.gate.threshold(cell.group),
        declared_sparsity=declared_sparsity(contract, cell),
        measured_sparsity=dict.fromkeys(PHASES),
        loaded_sparsity=dict.fromkeys(PHASES),
        decode_from=_decode_from(contract, cell),
        methods=named_methods(contract, cell),
        node_id=node_id,
    )


def declared_sparsity(contract: Contract, cell: Cell) -> PhaseSparsity:
    """The contract's sparsity of each phase at the cell's length, None for a dense phase or where parameters fix it."""
    declared: PhaseSparsity = {}
    for phase in PHASES:
        method = contract.method(cell.deployment, phase, cell.length)
        declared[phase] = None if method is None else method.sparsity
    return declared


def _decode_from(contract: Contract, cell: Cell) -> Literal["answer", "question"] | None:
    deployment = contract.spec.deployments[cell.deployment]
    if not (deployment.phase("kv") or deployment.phase("decode")):
        return None
    return "question" if deployment.from_question else "answer"


def named_methods(contract: Contract, cell: Cell) -> dict[str, str | None]:
    """Each phase's method and its parameters at the cell's length, such as `block_sparse block=16`; None for dense."""
    named: dict[str, str | None] = {}
    for phase in PHASES:
        method = contract.method(cell.deployment, phase, cell.length)
        if method is None:
            named[phase] = None
        else:
            settings = method.settings(cell.length).items()
            named[phase] = " ".join(
                [method.name, *(f"{name}={value}" for name, value in settings if value is not None)]
            )
    return named
