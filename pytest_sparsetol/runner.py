"""Runs a cell: items, stored dense outcomes, the model under the deployment's policy, and the verdict."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sparsetol_suites.item import Item, Score
from sparsetol_suites.suite import SuiteTask

from pytest_sparsetol import verdict
from pytest_sparsetol.baseline import BaselineStore, Fingerprint, Row
from pytest_sparsetol.cells import Cell, empty_result
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.engine.attention import Pass
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.generate import Generation
from pytest_sparsetol.engine.meter import Meter
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.engine.prompt import prompt_hash
from pytest_sparsetol.errors import BaselineError
from pytest_sparsetol.methods.base import PHASES, DecodeMethod, PrefillMethod
from pytest_sparsetol.result import CellResult, Evidence, lost, points
from pytest_sparsetol.statistics import decide

Progress = Callable[[str, int, int, float | None], None]
"""Called as work goes on: what is done, items done, items in all, and the mean loss so far where there is one."""


SECONDS_BETWEEN_WRITES = 30.0
"""How much recording a killed process can lose at most."""


@dataclass(frozen=True)
class Prepared:
    """An item as the model gets it."""

    item: Item
    task: SuiteTask
    ids: list[int]
    hash: str


@dataclass(frozen=True)
class Answered:
    """An item as the model answered it."""

    score: Score
    generation: Generation


@dataclass
class Runner:
    """Keeps the loaded model and the items between cells of one session.

    Attributes:
        record: write missing dense outcomes (`missing`), all of them anew (`all`), or none.
        trust_remote_code: whether the command line allows code that a model brings.

    """

    record: Literal["missing", "all"] | None = None
    trust_remote_code: bool = False
    _engine: tuple[object, Engine] | None = None
    _items: dict[object, list[Prepared]] = field(default_factory=dict)
    _rewritten: set[tuple[str, str]] = field(default_factory=set)

    def run(self, contract: Contract, cell: Cell, node_id: str, progress: Progress) -> tuple[CellResult, Evidence]:
        """Decide one cell. Errors of this package end it without a result."""
        begun = time.monotonic()
        progress("loading the model", 0, 0, None)
        engine = self.engine(contract)
        prepared = self.prepare(contract, engine, cell, progress)
        dense = self._dense_rows(contract, engine, cell, prepared, progress)
        dense_score = _mean([row.score for row in dense])
        gate = contract.spec.gate
        base = dataclasses.replace(
            empty_result(contract, cell, node_id, "ERROR", ""), dense_score=dense_score, device=engine.device
        )
        early = verdict.testable(
            dense_score,
            chance=_mean([entry.task.chance for entry in prepared]),
            threshold=base.threshold,
            minimum=gate.min_dense.get(cell.group),
        )
        if early is not None:
            decided, reason = early
            seconds = time.monotonic() - begun
            return dataclasses.replace(base, verdict=decided, reason=reason, seconds=seconds), Evidence([], [], [])

        answers: list[Answered] = []
        meter, backends = Meter(), set[str]()
        differences: list[float] = []
        for answered, done in self._answer(contract, engine, prepared, build_policy(contract, cell)):
            answers.extend(answered)
            meter.add(done.meter)
            backends |= done.backends
            differences = [row.score - answer.score.value for row, answer in zip(dense, answers, strict=False)]
            progress("sparse", len(answers), len(prepared), _mean(differences))
        tasks = [entry.task.name for entry in prepared]
        clusters = [entry.item.cluster for entry in prepared]
        decision = decide(differences, base.threshold, gate.confidence, clusters=clusters)
        sparse_score = _mean([answer.score.value for answer in answers])
        decoding = any(base.declared_sparsity[phase] is not None for phase in ("kv", "decode"))
        result = dataclasses.replace(
            base,
            verdict=decision.verdict,
            reason=(
                f"{lost(decision.mean)} (dense {points(dense_score)}, sparse {points(sparse_score)}, "
                f"allowed {points(base.threshold)}, n={len(answers)})"
            ),
            degradation=decision.mean,
            lower=decision.lower,
            upper=decision.upper,
            items=len(answers),
            sparse_score=sparse_score,
            missing_rate=_mean([answer.score.missing for answer in answers]),
            truncated_rate=_mean([answer.generation.finish == "length" for answer in answers]),
            measured_sparsity={phase: meter.measured(phase) for phase in PHASES},
            loaded_sparsity={phase: meter.loaded_sparsity(phase) for phase in PHASES},
            sparse_steps=_mean([answer.generation.steps for answer in answers]) if decoding else None,
            backend=", ".join(sorted(backends)),
            seconds=time.monotonic() - begun,
        )
        idle = verdict.not_exercised(result)
        if idle is not None:
            result = dataclasses.replace(result, verdict="NOT_EXERCISED", reason=idle)
        elif result.verdict == "INCONCLUSIVE":
            result = dataclasses.replace(result, reason=f"{result.reason}; {decision.reason}")
        return result, Evidence(differences, tasks, clusters)

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

    def prepare(self, contract: Contract, engine: Engine, cell: Cell, progress: Progress) -> list[Prepared]:
        """The cell's items in the order run: evenly over the group's tasks, shuffled by the contract's seed."""
        items = contract.spec.gate.items
        key = (contract.suite.fingerprint, cell.group, cell.length, items.max, items.seed)
        if key not in self._items:
            tasks = [task for task in contract.suite.tasks if task.group == cell.group]
            each = items.max // len(tasks)
            prepared: list[Prepared] = []
            for task in tasks:
                for index in range(each):
                    progress("making items", len(prepared), each * len(tasks), None)
                    item = task.generate(cell.length, engine.prompt, items.seed, index)
                    ids = engine.prompt.encode(item.prompt)
                    prepared.append(Prepared(item, task, ids, prompt_hash(ids)))
            random.Random(f"{items.seed}/{cell.group}/{cell.length}").shuffle(prepared)
            self._items[key] = prepared
        return self._items[key]

    def _dense_rows(
        self, contract: Contract, engine: Engine, cell: Cell, prepared: Sequence[Prepared], progress: Progress
    ) -> list[Row]:
        """Stored dense outcomes of the items, in their order; recorded first where that was asked for."""
        store = BaselineStore(contract.baselines, contract.suite.name)
        rows: dict[tuple[str, str], Row] = {}
        for task in {entry.task.name: entry.task for entry in prepared}.values():
            wanted = [entry for entry in prepared if entry.task is task]
            fingerprint = self._fingerprint(engine, cell, task)
            stored = store.read(fingerprint) if self.record is None else {}
            if self.record is not None:
                with store.locked(fingerprint):
                    stored = self._record(contract, engine, store, fingerprint, wanted, progress)
            missing = [entry for entry in wanted if entry.item.id not in stored]
            if missing:
                raise store.explain_missing(fingerprint, len(missing), len(wanted))
            for entry in wanted:
                row = stored[entry.item.id]
                if row.prompt != entry.hash:
                    raise BaselineError(
                        f"item {entry.item.id} has another prompt now ({entry.hash}) than when its dense outcome was "
                        f"recorded ({row.prompt}); record it anew with --sparsetol-record=all"
                    )
                rows[task.name, entry.item.id] = row
        return [rows[entry.task.name, entry.item.id] for entry in prepared]

    def _record(
        self,
        contract: Contract,
        engine: Engine,
        store: BaselineStore,
        fingerprint: Fingerprint,
        wanted: Sequence[Prepared],
        progress: Progress,
    ) -> dict[str, Row]:
        """Compute and write the dense outcomes that the store lacks; what is done so far is kept when stopped."""
        key = (str(store.path(fingerprint)), fingerprint.digest())
        anew = self.record == "all" and key not in self._rewritten
        self._rewritten.add(key)
        stored = {} if anew else store.read(fingerprint)
        lacking = [entry for entry in wanted if entry.item.id not in stored]
        if not lacking:
            return stored
        done, written = 0, time.monotonic()
        recorded = {**engine.versions(), "batch_size": contract.spec.model.batch_size}
        try:
            for answered, current in self._answer(contract, engine, lacking, DENSE):
                recorded["backend"] = ", ".join(sorted(current.backends))
                for entry, answer in zip(lacking[done:], answered, strict=False):
                    stored[entry.item.id] = Row(
                        item=entry.item.id,
                        prompt=entry.hash,
                        score=answer.score.value,
                        missing=answer.score.missing,
                        finish=answer.generation.finish,
                        prompt_tokens=len(entry.ids),
                        answer_tokens=len(answer.generation.ids),
                    )
                done += len(answered)
                progress("recording dense", done, len(lacking), None)
                if time.monotonic() - written > SECONDS_BETWEEN_WRITES:
                    store.write(fingerprint, stored, recorded)
                    written = time.monotonic()
        finally:
            if done:
                store.write(fingerprint, stored, recorded)
        return stored

    def _answer(
        self, contract: Contract, engine: Engine, prepared: Sequence[Prepared], policy: Policy
    ) -> Iterator[tuple[list[Answered], Pass]]:
        """Answer and score item by item order, one batch at a time; batches follow the order, whatever the answers."""
        size = contract.spec.model.batch_size
        for begin in range(0, len(prepared), size):
            batch = prepared[begin : begin + size]
            generations, current = engine.answer(
                [entry.ids for entry in batch], [entry.task.answer_tokens for entry in batch], policy
            )
            yield (
                [
                    Answered(entry.task.score(entry.item, engine.text(generation)), generation)
                    for entry, generation in zip(batch, generations, strict=True)
                ],
                current,
            )

    @staticmethod
    def _fingerprint(engine: Engine, cell: Cell, task: SuiteTask) -> Fingerprint:
        return Fingerprint(
            model=engine.weights,
            prompt=engine.prompt.fingerprint(),
            suite=task.fingerprint,
            task=task.name,
            length=cell.length,
            dtype=engine.dtype,
            answer_tokens=task.answer_tokens,
            end_of_text=engine.end_of_text,
        )


def build_policy(contract: Contract, cell: Cell) -> Policy:
    """The deployment's methods at the cell's length."""
    prefill = contract.method(cell.deployment, "prefill", cell.length)
    decode = contract.method(cell.deployment, "decode", cell.length)
    return Policy(
        prefill if isinstance(prefill, PrefillMethod) else None, decode if isinstance(decode, DecodeMethod) else None
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
