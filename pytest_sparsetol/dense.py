"""The dense outcomes that a cell is compared with: read from the store, or recorded where that was asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal

from sparsetol_suites.suite import SuiteTask

from pytest_sparsetol.anew import Anew
from pytest_sparsetol.answering import answer
from pytest_sparsetol.baseline import BaselineStore, Fingerprint, Row
from pytest_sparsetol.cells import Cell
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.engine.dense import second_backend
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.policy import DENSE
from pytest_sparsetol.errors import BaselineError, DamagedBaselineError
from pytest_sparsetol.items import Prepared, Progress
from pytest_sparsetol.noise import SAMPLE, Noise, floor
from pytest_sparsetol.result import NoiseFloor

SECONDS_BETWEEN_WRITES = 30.0
"""How much recording a killed process can lose at most."""


@dataclass
class DenseOutcomes:
    """Finds dense outcomes for a session.

    Attributes:
        record: write outcomes that are missing (`missing`), all that the run asks for anew (`all`), or none. Outcomes
            of other items in the same file stay.

    """

    record: Literal["missing", "all"] | None = None
    _anew: Anew = field(default_factory=Anew)

    def rows(
        self, contract: Contract, engine: Engine, cell: Cell, prepared: Sequence[Prepared], progress: Progress
    ) -> list[Row]:
        """Stored outcomes of the items, in their order; recorded first where that was asked for.

        Raises:
            MissingInputError: some are not stored.
            BaselineError: what is stored belongs to something else or is damaged, or nothing can be written.

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
            _check_prompts(wanted, stored)
            rows |= {(task.name, entry.item.id): stored[entry.item.id] for entry in wanted}
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
        stored, noise = self._kept(store, fingerprint, wanted)
        _check_prompts(wanted, stored)
        lacking = [entry for entry in wanted if entry.item.id not in stored]
        if not lacking and noise is not None:
            return stored
        store.check_writable(fingerprint)
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
                    if not 0 <= one.score.value <= 1:
                        raise BaselineError(
                            f"item {entry.item.id}: its task gives the dense answer {one.score.value:g}; "
                            f"scores must lie in [0, 1]"
                        )
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
                if self.record == "all":
                    self._anew.add(store.beside(fingerprint, "anew"), (entry.item.id for entry in lacking[:done]))
        if noise is None:
            noise = _against_itself(engine, wanted[:SAMPLE], stored, size, progress)
            store.write(fingerprint, stored, recorded, noise)
        return stored

    def _kept(
        self, store: BaselineStore, fingerprint: Fingerprint, wanted: Sequence[Prepared]
    ) -> tuple[dict[str, Row], Noise | None]:
        """Rows and noise that recording adds to: with `all`, of what is wanted only what this run has recorded."""
        if self.record == "missing":
            return store.read(fingerprint), store.noise(fingerprint)
        done = self._anew.items(store.beside(fingerprint, "anew"))
        replaced = {entry.item.id for entry in wanted} - done
        try:
            stored = store.read(fingerprint)
        except DamagedBaselineError:
            # No run could have used a row of it.
            return {}, None
        kept = {item: row for item, row in stored.items() if item not in replaced}
        return kept, store.noise(fingerprint) if done else None


def _check_prompts(wanted: Sequence[Prepared], stored: Mapping[str, Row]) -> None:
    """Raise `BaselineError` where an item is no longer what its outcome was recorded of."""
    for entry in wanted:
        row = stored.get(entry.item.id)
        if row is not None and row.prompt != entry.hash:
            raise BaselineError(
                f"item {entry.item.id} has another prompt now ({entry.hash}) than when its dense outcome was "
                f"recorded ({row.prompt}); record it anew with --sparsetol-record=all"
            )


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
