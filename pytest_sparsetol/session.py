"""What one pytest session knows: contracts read, results so far, and the verdicts of mixes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_sparsetol.cells import Cell, cells, empty_result
from pytest_sparsetol.contract import Contract, load_contracts
from pytest_sparsetol.errors import MissingInputError, SparsetolError
from pytest_sparsetol.mixing import Terms, terms, terms_of_all, weigh
from pytest_sparsetol.planning.outlook import outlooks
from pytest_sparsetol.result import CellResult, Evidence, MixResult, Verdict
from pytest_sparsetol.verdict import without_pass

if TYPE_CHECKING:
    from pytest_sparsetol.distributed.shards import Shard
    from pytest_sparsetol.items import Progress
    from pytest_sparsetol.report.jsonfile import Report
    from pytest_sparsetol.runner import Runner
    from pytest_sparsetol.sweep.ladder import Ladder
    from pytest_sparsetol.sweep.outcome import LadderResult


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
        shard: the part of a run that this session is, None for a whole one.
        sweep: whether ladders are climbed in place of gating.
        sweep_until: when sweeps begin nothing more, a time of `time.monotonic`.
        finished: folder of the cells that sweeps have finished; None keeps nothing.
        ladders: of a sweep, by node id.

    """

    root: Path
    profile: str | None = None
    record: Literal["missing", "all"] | None = None
    trust_remote_code: bool = False
    results: dict[str, CellResult] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    mixes: dict[str, MixResult] = field(default_factory=dict)
    selected: list[str] = field(default_factory=list)
    shard: Shard | None = None
    sweep: bool = False
    sweep_until: float = math.inf
    finished: Path | None = None
    ladders: dict[str, LadderResult] = field(default_factory=dict)
    _contracts: dict[Path, tuple[Contract, ...]] = field(default_factory=dict)
    _runner: Runner | None = None

    def contracts(self, path: Path) -> tuple[Contract, ...]:
        """The checked contract at `path` for each of its models, read once."""
        if path not in self._contracts:
            self._contracts[path] = load_contracts(path, self.profile)
        return self._contracts[path]

    def run(self, contract: Contract, cell: Cell, node_id: str, progress: Progress) -> CellResult:
        """Run a cell and keep its result; what this package raises becomes a verdict, the rest is kept and raised."""
        try:
            result, evidence = self._started().run(contract, cell, node_id, progress)
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

    def climb(self, contract: Contract, ladder: Ladder, node_id: str, progress: Progress) -> LadderResult:
        """Climb a ladder of a sweep and keep what it came to; what this package raises becomes its error."""
        from pytest_sparsetol.sweep.climb import climb
        from pytest_sparsetol.sweep.finished import FinishedCells
        from pytest_sparsetol.sweep.outcome import LadderResult

        try:
            finished = FinishedCells(self.finished)
            result = climb(self._started(), finished, contract, ladder, node_id, progress, self.sweep_until)
        except SparsetolError as error:
            verdict: Verdict = "UNTESTED" if isinstance(error, MissingInputError) else "ERROR"
            result = LadderResult(
                node_id=node_id, policy=ladder.policy.name, length=ladder.length, error=(verdict, str(error))
            )
        self.ladders[node_id] = result
        return result

    def _started(self) -> Runner:
        if self._runner is None:
            # The first cell that runs pays for torch, not collection.
            from pytest_sparsetol.dense import DenseOutcomes
            from pytest_sparsetol.engine.threads import share_cores
            from pytest_sparsetol.runner import Runner

            share_cores()
            self._runner = Runner(DenseOutcomes(self.record), self.trust_remote_code)
        return self._runner

    def keep(self, result: CellResult, evidence: Evidence) -> None:
        """Store a result that was made here or in a worker."""
        self.results[result.node_id] = result
        self.evidence[result.node_id] = evidence

    def locate(self, node_id: str) -> tuple[Contract, Cell] | None:
        """Contract and cell of a node id, None for any other test's."""
        path, _, rest = node_id.partition("::")
        known = ((contract, cell) for contract in self._readable(path) for cell in cells(contract))
        return next((found for found in known if f"{found[1].policy}::{found[1].name}" == rest), None)

    def _readable(self, path: str) -> tuple[Contract, ...]:
        """Contracts at a path from the root; none where workers alone could read the file."""
        try:
            return self.contracts(self.root / path)
        except ValueError:
            return ()

    def climbed(self, path: str) -> tuple[Contract, list[tuple[Ladder, LadderResult]], list[str]]:
        """The contract at a path from the root, its climbed ladders, and the node ids of those that were not."""
        from pytest_sparsetol.sweep.ladder import ladders

        (contract,) = self.contracts(self.root / path)
        done: list[tuple[Ladder, LadderResult]] = []
        missing: list[str] = []
        for ladder in ladders(contract):
            node_id = f"{path}::{ladder.policy.name}::{ladder.name}"
            result = self.ladders.get(node_id)
            if result is None or result.error is not None:
                missing.append(node_id)
            else:
                done.append((ladder, result))
        return contract, done, missing

    def mix(self, contract: Contract, cell: Cell, node_id: str) -> MixResult:
        """Decide a mix from its groups' results and keep it."""
        base = self.unweighed(contract, cell, node_id)
        prefix = node_id.rsplit("::", 1)[0]
        nodes = {group: f"{prefix}::{dataclasses.replace(cell, group=group).name}" for group in base.groups}
        there = {group: node for group, node in nodes.items() if node in self.results}
        self.mixes[node_id] = weigh(
            base,
            {group: self.results[node] for group, node in there.items()},
            {group: self.evidence[node] for group, node in there.items()},
            {group: self._absent(node) for group, node in nodes.items() if group not in there},
            terms(contract),
        )
        return self.mixes[node_id]

    def unweighed(self, contract: Contract, cell: Cell, node_id: str) -> MixResult:
        """A mix before its groups are known."""
        return MixResult(
            contract=contract.path.name,
            model=contract.model_name,
            deployment=cell.deployment,
            length=cell.length,
            verdict="UNTESTED",
            reason="its groups run in several shards: `sparsetol merge` decides it",
            threshold=contract.spec.gate.mix_threshold(),
            resolves=_resolves(contract, cell),
            groups=dict(contract.spec.mix),
            node_id=node_id,
        )

    def complete(self) -> None:
        """Give all that was selected and did not run a result that says why; in a shard cells of the others too."""
        for node_id in self.selected if self.shard is None else self.shard.owners:
            found = self.locate(node_id)
            if found is None:
                continue
            if found[1].is_mix:
                if self.shard is not None:
                    self.mixes[node_id] = self.unweighed(*found, node_id)
                elif node_id not in self.mixes:
                    self.mix(*found, node_id)
            elif node_id not in self.results:
                elsewhere = self.shard is not None and not self.shard.owns(node_id)
                reason = "it runs in another shard" if elsewhere else "the run ended before it"
                self.lose(*found, node_id, "UNTESTED", reason)

    def _terms(self) -> dict[str, Terms]:
        """Terms of the readable contracts that cells or mixes are of, by the contract's path in node ids."""
        paths = dict.fromkeys(node_id.partition("::")[0] for node_id in (*self.results, *self.mixes))
        return {path: terms_of_all(contracts) for path in paths if (contracts := self._readable(path))}

    def report(self, errors: Sequence[str] = ()) -> Report:
        """All that is known by now, and what kept the run from being whole."""
        from pytest_sparsetol.report.jsonfile import Report

        return Report(
            list(self.results.values()), list(self.mixes.values()), self.evidence, self._terms(), self.shard, errors
        )

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
        """Deployments of which something ran and nothing passed; a shard does not see enough to say."""
        return [] if self.shard is not None else without_pass(self.in_order())


def _resolves(contract: Contract, cell: Cell) -> float:
    """The smallest loss that the cell's items resolve."""
    return outlooks(contract)[cell.group, cell.length].resolves
