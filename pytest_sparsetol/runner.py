"""Runs a cell: items, stored dense outcomes, the model under the deployment's policy, and the verdict."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pytest_sparsetol import verdict
from pytest_sparsetol.answering import Answered, answer
from pytest_sparsetol.baseline import Row
from pytest_sparsetol.cells import Cell, empty_result
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.cost.cell import cell_cost
from pytest_sparsetol.dense import DenseOutcomes
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.meter import Meter
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.errors import CertificateError
from pytest_sparsetol.items import Prepared, Progress, prepare
from pytest_sparsetol.methods.base import PHASES, DecodeMethod, KvMethod, PrefillMethod
from pytest_sparsetol.noise import refusal
from pytest_sparsetol.recall import RecallTable
from pytest_sparsetol.result import CellResult, Evidence, Verdict, lost, points
from pytest_sparsetol.statistics import Decision, Plan, Sequential
from pytest_sparsetol.sweep.certificate import changed
from pytest_sparsetol.sweep.identity import identity

Hopeless = Callable[[Sequence[float], int], bool]
"""Whether a cell may stop as not shown, from its differences so far and the number of its items."""


@dataclass(frozen=True)
class Inputs:
    """What a cell is decided from.

    Attributes:
        prepared: its items in the order run.
        dense: their dense outcomes.
        base: its result before anything ran sparse.
        decided: its result where the dense outcomes alone decide.

    """

    engine: Engine
    prepared: list[Prepared]
    dense: list[Row]
    base: CellResult
    decided: CellResult | None


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
        inputs = self.inputs(contract, cell, node_id, progress)
        if inputs.decided is None:
            result, evidence = compare(contract, cell, inputs, progress)
        else:
            result, evidence = inputs.decided, Evidence([], [], [])
        if inputs.engine.shape is not None:
            policy = build_policy(contract, cell)
            scored = sum(
                method.scored_pairs(cell.length) for method in (policy.prefill, policy.kv) if method is not None
            )
            cost = cell_cost(inputs.engine.shape, result, scored, contract.spec.model.batch_size)
            result = dataclasses.replace(result, cost=cost)
        if contract.among:
            evidence = _beside_other_models(evidence, inputs)
        return dataclasses.replace(result, seconds=time.monotonic() - begun), evidence

    def inputs(self, contract: Contract, cell: Cell, node_id: str, progress: Progress) -> Inputs:
        """What a cell is decided from; the model is loaded and dense outcomes are found, or recorded if asked for."""
        progress("loading the model", 0, 0, None)
        engine = self.engine(contract)
        _check_certificate(contract, engine)
        prepared = self.prepared(contract, engine, cell, progress)
        dense = self.dense.rows(contract, engine, cell, prepared, progress)
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
            minimum=contract.spec.gate.min_dense.get(cell.group),
        )
        refused = refusal(base.noise, base.threshold)
        if early is None and refused is not None:
            early = "ERROR", refused
        decided = None if early is None else dataclasses.replace(base, verdict=early[0], reason=early[1])
        return Inputs(engine, prepared, dense, base, decided)

    def engine(self, contract: Contract) -> Engine:
        """The contract's model; the last one stays loaded."""
        key = (contract.model, contract.spec.model.model_dump_json())
        if self._engine is None or self._engine[0] != key:
            # Let go of the other model before this one is loaded, cycles included: both may not fit.
            self._engine = None
            self._items.clear()
            gc.collect()
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


def _beside_other_models(evidence: Evidence, inputs: Inputs) -> Evidence:
    """With what sets a cell beside the same one of another model."""
    names = [entry.item.cluster for entry in inputs.prepared]
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    asked = hashlib.sha256("\0".join(entry.item.prompt for entry in inputs.prepared).encode()).hexdigest()[:16]
    return dataclasses.replace(
        evidence,
        dense=[row.score for row in inputs.dense],
        documents=[places[name] for name in names] if len(places) < len(names) else [],
        asked=asked,
    )


def _check_certificate(contract: Contract, engine: Engine) -> None:
    """Raise `CertificateError` where what runs is not what the cited certificate is for."""
    if contract.certificate is None:
        return
    voided = changed(contract.certificate, identity(contract, engine))
    if voided:
        raise CertificateError(
            f"certificate {contract.spec.certificate} is void here: {' and '.join(voided)}; "
            f"sweep again, or take the citation out"
        )


def compare(
    contract: Contract, cell: Cell, inputs: Inputs, progress: Progress, hopeless: Hopeless | None = None
) -> tuple[CellResult, Evidence]:
    """Run the policy until the verdict is certain, it is hopeless, or the items are used up."""
    engine, prepared, dense, base = inputs.engine, inputs.prepared, inputs.dense, inputs.base
    test = Sequential(base.threshold, Plan(len(prepared)), contract.spec.gate.confidence)
    answers: list[Answered] = []
    differences: list[float] = []
    meter, backends, recall = Meter(), set[str](), RecallTable()
    decision: Decision | None = None
    engine.reset_peak_memory()
    progress("sparse", 0, len(prepared), None)
    seconds, begun = 0.0, time.monotonic()
    for answered, current in answer(engine, prepared, build_policy(contract, cell), contract.spec.model.batch_size):
        seconds += time.monotonic() - begun
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
        if decision is not None or (hopeless is not None and hopeless(differences, len(prepared))):
            break
        begun = time.monotonic()
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
        seconds_per_item=seconds / len(answers),
        peak_memory=engine.peak_memory(),
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
