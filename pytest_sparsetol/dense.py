"""The dense outcomes that a cell is compared with: read from the store, or recorded where that was asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal

from sparsetol_suites.suite import SuiteTask

from pytest_sparsetol.answering import answer
from pytest_sparsetol.baseline import BaselineStore, Fingerprint, Row
from pytest_sparsetol.cells import Cell
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.engine.dense import second_backend
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.policy import DENSE
from pytest_sparsetol.errors import BaselineError
from pytest_sparsetol.items import Prepared, Progress
from pytest_sparsetol.noise import SAMPLE, Noise, floor
from pytest_sparsetol.result import NoiseFloor

SECONDS_BETWEEN_WRITES = 30.0
"""How much recording a killed process can lose at most."""


@dataclass
class DenseOutcomes:
    """Finds dense outcomes for a session.

    Attributes:
        record: write missing outcomes (`missing`), all of them anew (`all`), or none.

    """

    record: Literal["missing", "all"] | None = None
    _rewritten: set[tuple[str, str]] = field(default_factory=set)

    def rows(
        self, contract: Contract, engine: Engine, cell: Cell, prepared: Sequence[Prepared], progress: Progress
    ) -> list[Row]:
        """Stored outcomes of the items, in their order; recorded first where that was asked for.

        Raises:
            MissingInputError: some are not stored.
            BaselineError: what is stored belongs to something else.

        """
        store = BaselineStore(contract.baselines, contract.suite.name)
        rows: dict[tuple[str, str], Row] = {}
        for task in {entry.task.name: entry.task for entry in prepared}.values():
            wanted = [entry for entry in prepared if entry.task is task]
            fingerprint = identify(engine, cell, task)
            if self.record is None:
                stored = store.read(fingerprint)
            else:
                with store.locked(fingerprint):
                    stored = self._record(contract, engine, store, fingerprint, wanted, progress)
            missing = [entry for entry in wanted if entry.item.id not in stored]
            if missing:
                raise store.explain_missing(fingerprint, len(missing), len(wanted), shared=bool(contract.among))
            for entry in wanted:
                row = stored[entry.item.id]
                if row.prompt != entry.hash:
                    raise BaselineError(
                        f"item {entry.item.id} has another prompt now ({entry.hash}) than when its dense outcome was "
                        f"recorded ({row.prompt}); record it anew with --sparsetol-record=all"
                    )
                rows[task.name, entry.item.id] = row
        return [rows[entry.task.name, entry.item.id] for entry in prepared]

    def noise(self, contract: Contract, engine: Engine, cell: Cell, prepared: Sequence[Prepared]) -> NoiseFloor | None:
        """The noise floor of the cell's baselines; None where one of them was recorded without."""
        store = BaselineStore(contract.baselines, contract.suite.name)
        tasks = {entry.task.name: entry.task for entry in prepared}.values()
        parts = [part for task in tasks if (part := store.noise(identify(engine, cell, task))) is not None]
        return floor(parts) if len(parts) == len(tasks) else None

    def _record(
        self,
        contract: Contract,
        engine: Engine,
        store: BaselineStore,
        fingerprint: Fingerprint,
        wanted: Sequence[Prepared],
        progress: Progress,
    ) -> dict[str, Row]:
        """Compute and write the outcomes that the store lacks; what is done so far is kept when stopped."""
        key = (str(store.path(fingerprint)), fingerprint.digest())
        anew = self.record == "all" and key not in self._rewritten
        self._rewritten.add(key)
        stored = {} if anew else store.read(fingerprint)
        noise = None if anew else store.noise(fingerprint)
        lacking = [entry for entry in wanted if entry.item.id not in stored]
        if not lacking and noise is not None:
            return stored
        size = contract.spec.model.batch_size
        recorded = {**engine.versions(), "batch_size": size} if lacking else store.recorded(fingerprint)
        done, written = 0, time.monotonic()
        begun = written
        if lacking:
            progress("recording dense", 0, len(lacking), None)
        try:
            for answered, current in answer(engine, lacking, DENSE, size):
                recorded["backend"] = ", ".join(sorted(current.backends))
                for entry, one in zip(lacking[done:], answered, strict=False):
                    stored[entry.item.id] = Row(
                        item=entry.item.id,
                        prompt=entry.hash,
                        score=one.score.value,
                        missing=one.score.missing,
                        finish=one.generation.finish,
                        prompt_tokens=len(entry.ids),
                        answer_tokens=len(one.generation.ids),
                    )
                done += len(answered)
                recorded["seconds_per_item"] = round((time.monotonic() - begun) / done, 4)
                progress("recording dense", done, len(lacking), None)
                if time.monotonic() - written > SECONDS_BETWEEN_WRITES:
                    store.write(fingerprint, stored, recorded, noise)
                    written = time.monotonic()
        finally:
            if done:
                store.write(fingerprint, stored, recorded, noise)
        if noise is None:
            sample = [entry for entry in wanted[:SAMPLE] if stored[entry.item.id].prompt == entry.hash]
            noise = _against_itself(engine, sample, stored, size, progress)
            store.write(fingerprint, stored, recorded, noise)
        return stored


def _against_itself(
    engine: Engine, sample: Sequence[Prepared], stored: Mapping[str, Row], batch_size: int, progress: Progress
) -> Noise:
    """Answer items again, dense but at batch one, and by another library, and compare with what was recorded."""
    differences: dict[str, list[float]] = {}
    for other_size, other_backend in ((1, nullcontext), (batch_size, second_backend)):
        if other_size == batch_size and other_backend is nullcontext:
            continue
        scores: list[float] = []
        backends: set[str] = set()
        progress("recording the noise floor", 0, len(sample), None)
        with other_backend():
            for answered, current in answer(engine, sample, DENSE, other_size):
                scores.extend(one.score.value for one in answered)
                backends |= current.backends
                progress("recording the noise floor", len(scores), len(sample), None)
        name = ", ".join(sorted(backends)) if other_backend is second_backend else f"batch 1 for {batch_size}"
        differences[name] = [stored[entry.item.id].score - score for entry, score in zip(sample, scores, strict=True)]
    return Noise(differences)


def identify(engine: Engine, cell: Cell, task: SuiteTask) -> Fingerprint:
    """What decides the dense outcomes of a task at the cell's length."""
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
