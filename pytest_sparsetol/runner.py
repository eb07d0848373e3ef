"""Runs a cell: items, stored dense outcomes, the model under the deployment's policy, and the verdict."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_sparsetol import verdict
from pytest_sparsetol.answering import Answered, answer
from pytest_sparsetol.baseline import Row
from pytest_sparsetol.cells import Cell, empty_result
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.dense import DenseOutcomes
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.meter import Meter
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.items import Prepared, Progress, prepare
from pytest_sparsetol.methods.base import PHASES, DecodeMethod, KvMethod, PrefillMethod
from pytest_sparsetol.noise import refusal
from pytest_sparsetol.recall import RecallTable
from pytest_sparsetol.result import CellResult, Evidence, Verdict, lost, points
from pytest_sparsetol.statistics import Decision, Plan, Sequential


@dataclass
class Runner:
    """Keeps the loaded model and the items between cells of one session.

    Attributes:
        dense: where dense outcomes come from.
        trust_remote_code: whether the command line allows code that a model brings.

    """

    dense: DenseOutcomes
    trust_remote_code: bool = False
    _engine: tuple[object, Engine] | None = None
    _items: dict[object, list[Prepared]] = field(default_factory=dict)

    def run(self, contract: Contract, cell: Cell, node_id: str, progress: Progress) -> tuple[CellResult, Evidence]:
        """Decide one cell. Errors of this package end it without a result."""
        begun = time.monotonic()
        progress("loading the model", 0, 0, None)
        engine = self.engine(contract)
        prepared = self.prepared(contract, engine, cell, progress)
        dense = self.dense.rows(contract, engine, cell, prepared, progress)
        gate = contract.spec.gate
        base = dataclasses.replace(
            empty_result(contract, cell, node_id, "ERROR", ""),
            dense_score=_mean([row.score for row in dense]),
            device=engine.device,
            noise=self.dense.noise(contract, engine, cell, prepared),
        )
        early = verdict.testable(
            _mean([row.score for row in dense]),
            chance=_mean([entry.task.chance for entry in prepared]),
            threshold=base.threshold,
            minimum=gate.min_dense.get(cell.group),
        )
        refused = refusal(base.noise, base.threshold)
        if early is None and refused is not None:
            early = "ERROR", refused
        if early is None:
            result, evidence = _compare(contract, cell, engine, prepared, dense, base, progress)
        else:
            result, evidence = dataclasses.replace(base, verdict=early[0], reason=early[1]), Evidence([], [], [])
        return dataclasses.replace(result, seconds=time.monotonic() - begun), evidence

    def engine(self, contract: Contract) -> Engine:
        """The contract's model; the last one stays loaded."""
        key = (contract.model, contract.spec.model.model_dump_json())
        if self._engine is None or self._engine[0] != key:
            # Let go of the other model before this one is loaded: both may not fit.
            self._engine = None
            self._items.clear()
            self._engine = (
                key,
                Engine(contract.model, contract.spec.model, trust_remote_code=self.trust_remote_code),
            )
        return self._engine[1]

    def prepared(self, contract: Contract, engine: Engine, cell: Cell, progress: Progress) -> list[Prepared]:
        """The cell's items, made once for all deployments."""
        items = contract.spec.gate.items
        key = (contract.suite.fingerprint, cell.group, cell.length, items.max, items.seed)
        if key not in self._items:
            self._items[key] = prepare(contract, engine.prompt, cell, progress)
        return self._items[key]


def _compare(
    contract: Contract,
    cell: Cell,
    engine: Engine,
    prepared: Sequence[Prepared],
    dense: Sequence[Row],
    base: CellResult,
    progress: Progress,
) -> tuple[CellResult, Evidence]:
    """Run the policy until the verdict is certain or the items are used up."""
    test = Sequential(base.threshold, Plan(len(prepared)), contract.spec.gate.confidence)
    answers: list[Answered] = []
    differences: list[float] = []
    meter, backends, recall = Meter(), set[str](), RecallTable()
    decision: Decision | None = None
    for answered, current in answer(engine, prepared, build_policy(contract, cell), contract.spec.model.batch_size):
        begin = len(answers)
        answers.extend(answered)
        meter.add(current.meter)
        backends |= current.backends
        if current.evidence is not None:
            for sequence in range(len(answered)):
                recall.add(current.evidence.facts(sequence))
        fresh = [row.score - one.score.value for row, one in zip(dense[begin:], answered, strict=False)]
        differences.extend(fresh)
        clusters = [entry.item.cluster for entry in prepared[begin : len(answers)]]
        decision = test.update(fresh, clusters)
        progress("sparse", len(answers), len(prepared), _mean(differences))
        if decision is not None:
            break
    decision = decision or test.conclude()
    # Items of the last batch after the one that decided ran, but the verdict does not rest on them.
    used = decision.items
    result = dataclasses.replace(
        base,
        verdict=decision.verdict,
        degradation=decision.mean,
        lower=decision.lower,
        upper=decision.upper,
        items=used,
        dense_score=_mean([row.score for row in dense[:used]]),
        sparse_score=_mean([one.score.value for one in answers[:used]]),
        missing_rate=_mean([one.score.missing for one in answers]),
        truncated_rate=_mean([one.generation.finish == "length" for one in answers]),
        measured_sparsity={phase: meter.measured(phase) for phase in PHASES},
        loaded_sparsity={phase: meter.loaded_sparsity(phase) for phase in PHASES},
        found={
            f"{phase}.{name}": {"least": spread.least, "mean": spread.total / spread.count, "most": spread.most}
            for (phase, name), spread in meter.found.items()
        },
        layers=len(meter.layers),
        local_layers=len(meter.local_layers),
        evidence_recall=recall.summary(),
        sparse_steps=_mean([one.generation.steps for one in answers]) if _decodes_sparse(base) else None,
        backend=", ".join(sorted(backends)),
    )
    evidence = Evidence(
        differences[:used],
        [entry.task.name for entry in prepared[:used]],
        [entry.item.cluster for entry in prepared[:used]],
    )
    final, reason = _final(result, decision, [one.generation.steps for one in answers], len(prepared))
    return dataclasses.replace(result, verdict=final, reason=reason), evidence


def _final(result: CellResult, decision: Decision, steps: Sequence[int], planned: int) -> tuple[Verdict, str]:
    """The verdict, which does not hold where the declared sparsity did not act, and its reason."""
    idle = verdict.not_exercised(result, steps)
    if idle is not None:
        return "NOT_EXERCISED", idle
    scores = f"dense {points(result.dense_score or 0)}, sparse {points(result.sparse_score or 0)}"
    used = f"n={result.items}" if result.items == planned else f"n={result.items} of {planned}"
    reason = f"{lost(decision.mean)} ({scores}, allowed {points(result.threshold)}, {used})"
    if decision.verdict == "INCONCLUSIVE":
        reason += f"; {decision.reason}"
    return decision.verdict, reason


def _decodes_sparse(result: CellResult) -> bool:
    return any(result.methods[phase] is not None for phase in ("kv", "decode"))


def build_policy(contract: Contract, cell: Cell) -> Policy:
    """The deployment's methods at the cell's length."""
    prefill, kv, decode = (contract.method(cell.deployment, phase, cell.length) for phase in PHASES)
    return Policy(
        prefill=prefill if isinstance(prefill, PrefillMethod) else None,
        kv=kv if isinstance(kv, KvMethod) else None,
        decode=decode if isinstance(decode, DecodeMethod) else None,
        from_question=contract.spec.deployments[cell.deployment].from_question,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
