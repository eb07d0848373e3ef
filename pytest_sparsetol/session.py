"""What one pytest session knows: contracts read, results so far, and the verdicts of mixes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sparsetol.cells import Cell, cells, empty_result, planned_items
from pytest_sparsetol.contract import Contract, load_contract
from pytest_sparsetol.errors import MissingInputError, SparsetolError
from pytest_sparsetol.planning.outlook import outlooks
from pytest_sparsetol.result import CellResult, Evidence, MixResult, Verdict, lost, points
from pytest_sparsetol.verdict import undecidable_mix

if TYPE_CHECKING:
    from pytest_sparsetol.items import Progress
    from pytest_sparsetol.runner import Runner


@dataclass
class GateSession:
    """State of the gate in one process.

    Attributes:
        root: folder that node ids start from.
        profile: name of the contracts' profile in force.
        record: `missing` or `all` to record dense outcomes.
        trust_remote_code: whether code that models bring may run.
        results: cells by node id.
        evidence: paired outcomes by node id.
        mixes: mixes by node id.
        selected: node ids that this session is to run.

    """

    root: Path
    profile: str | None = None
    record: Any = None
    trust_remote_code: bool = False
    results: dict[str, CellResult] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    mixes: dict[str, MixResult] = field(default_factory=dict)
    selected: list[str] = field(default_factory=list)
    _contracts: dict[Path, Contract] = field(default_factory=dict)
    _runner: Runner | None = None

    def contract(self, path: Path) -> Contract:
        """The checked contract at `path`, read once."""
        if path not in self._contracts:
            self._contracts[path] = load_contract(path, self.profile)
        return self._contracts[path]

    def run(self, contract: Contract, cell: Cell, node_id: str, progress: Progress) -> CellResult:
        """Run a cell and keep its result; what this package raises becomes a verdict, the rest is kept and raised."""
        try:
            result, evidence = self._run(contract, cell, node_id, progress)
        except SparsetolError as error:
            verdict: Verdict = "UNTESTED" if isinstance(error, MissingInputError) else "ERROR"
            self.lose(contract, cell, node_id, verdict, str(error))
            return self.results[node_id]
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self.lose(contract, cell, node_id, "ERROR", reason)
            raise
        result = dataclasses.replace(result, resolves=_resolves(contract, cell))
        self.keep(result, evidence)
        return result

    def lose(self, contract: Contract, cell: Cell, node_id: str, verdict: Verdict, reason: str) -> None:
        """Keep that nothing was measured of a cell, and why."""
        result = empty_result(contract, cell, node_id, verdict, reason)
        self.keep(dataclasses.replace(result, resolves=_resolves(contract, cell)), Evidence([], [], []))

    def _run(self, contract: Contract, cell: Cell, node_id: str, progress: Progress) -> tuple[CellResult, Evidence]:
        if self._runner is None:
            # The first cell that runs pays for torch, not collection.
            from pytest_sparsetol.dense import DenseOutcomes
            from pytest_sparsetol.engine.threads import share_cores
            from pytest_sparsetol.runner import Runner

            share_cores()
            self._runner = Runner(DenseOutcomes(self.record), self.trust_remote_code)
        return self._runner.run(contract, cell, node_id, progress)

    def keep(self, result: CellResult, evidence: Evidence) -> None:
        """Store a result that was made here or in a worker."""
        self.results[result.node_id] = result
        self.evidence[result.node_id] = evidence

    def locate(self, node_id: str) -> tuple[Contract, Cell] | None:
        """Contract and cell of a node id, None for any other test's."""
        path, _, rest = node_id.partition("::")
        try:
            contract = self.contract(self.root / path)
        except ValueError:
            return None
        return next(((contract, cell) for cell in cells(contract) if f"{cell.deployment}::{cell.name}" == rest), None)

    def mix(self, contract: Contract, cell: Cell, node_id: str) -> MixResult:
        """Decide a mix from its groups' results and keep it."""
        from pytest_sparsetol.statistics import Plan, decide_mix

        weights = contract.spec.mix
        base = MixResult(
            contract=contract.path.name,
            model=contract.model.name,
            deployment=cell.deployment,
            length=cell.length,
            verdict="ERROR",
            reason="",
            threshold=contract.spec.gate.mix_threshold(),
            resolves=_resolves(contract, cell),
            groups=dict(weights),
            node_id=node_id,
        )
        prefix = node_id.rsplit("::", 1)[0]
        nodes = {group: f"{prefix}::{dataclasses.replace(cell, group=group).name}" for group in weights}
        results = {group: self.results[node] for group, node in nodes.items() if node in self.results}
        problems = {group: self._absent(node) for group, node in nodes.items() if node not in self.results}
        stuck = undecidable_mix(weights, results, problems)
        if stuck is not None:
            mixed = dataclasses.replace(base, verdict=stuck[0], reason=stuck[1])
        else:
            decision = decide_mix(
                {group: self.evidence[node] for group, node in nodes.items()},
                weights,
                base.threshold,
                contract.spec.gate.confidence,
                {group: Plan(planned_items(contract, group)) for group in weights},
            )
            n = sum(result.items for result in results.values())
            reason = f"{lost(decision.mean)} of the mix (allowed {points(base.threshold)}, n={n})"
            if decision.verdict == "INCONCLUSIVE":
                reason += f"; {decision.reason}"
            mixed = dataclasses.replace(
                base,
                verdict=decision.verdict,
                reason=reason,
                degradation=decision.mean,
                lower=decision.lower,
                upper=decision.upper,
            )
        self.mixes[node_id] = mixed
        return mixed

    def _absent(self, node_id: str) -> tuple[Verdict, str]:
        if node_id in self.selected:
            return "UNTESTED", "the run ended before it"
        return "UNTESTED", "it was deselected"

    def in_order(self) -> list[CellResult | MixResult]:
        """All results as the contracts list them, each deployment's mixes after its cells."""
        decided: dict[str, CellResult | MixResult] = {**self.results, **self.mixes}
        places = {node_id: place for place, node_id in enumerate(self.selected)}
        deployments = list(dict.fromkeys(node_id.rsplit("::", 1)[0] for node_id in (*self.selected, *decided)))

        def place(node_id: str) -> tuple[int, int]:
            return deployments.index(node_id.rsplit("::", 1)[0]), places.get(node_id, len(places))

        return [decided[node_id] for node_id in sorted(decided, key=place)]

    def without_pass(self) -> list[str]:
        """Deployments of which something ran and nothing passed, as `contract::deployment`."""
        seen: dict[str, bool] = {}
        for result in self.in_order():
            name = result.node_id.rsplit("::", 1)[0]
            seen[name] = seen.get(name, False) or result.verdict == "PASS"
        return [name for name, passed in seen.items() if not passed]


def _resolves(contract: Contract, cell: Cell) -> float:
    """The smallest loss that the cell's items resolve."""
    return outlooks(contract)[cell.group, cell.length].resolves
