"""Cells that a sweep has finished, kept so that a run that was stopped goes on from there.

One file a cell, named by the hash of everything that decides its outcome, written in one step: what is there is whole
and belongs to the same weights, items, dense outcomes, kernels and versions.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_sparsetol.baseline import Row, write_atomically
from pytest_sparsetol.cells import Cell
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.items import Prepared
from pytest_sparsetol.result import CellResult, Evidence
from pytest_sparsetol.runner import Inputs, build_policy
from pytest_sparsetol.sweep.identity import own_methods, sources


@dataclass(frozen=True)
class FinishedCells:
    """A folder of finished cells; None keeps nothing."""

    folder: Path | None

    def load(self, key: str) -> tuple[CellResult, Evidence] | None:
        """The cell's result, None where it was not finished, or where its file is damaged: then it runs once more."""
        path = self._path(key)
        if path is None or not path.exists():
            return None
        try:
            parts = json.loads(path.read_text(encoding="utf-8"))
            return CellResult(**parts["result"]), Evidence(**parts["evidence"])
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def save(self, key: str, result: CellResult, evidence: Evidence) -> None:
        """Keep a cell."""
        path = self._path(key)
        if path is not None:
            parts = {"result": dataclasses.asdict(result), "evidence": dataclasses.asdict(evidence)}
            write_atomically(path, json.dumps(parts, allow_nan=False) + "\n")

    def _path(self, key: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{key}.json"


def cell_key(contract: Contract, cell: Cell, inputs: Inputs, *, curtailed: bool) -> str:
    """Hash of everything that decides a cell's outcome."""
    gate = contract.spec.gate
    parts: dict[str, Any] = {
        "engine": _engine(inputs.engine),
        "policy": repr(build_policy(contract, cell)),
        "cell": [cell.group, cell.length],
        "batch_size": contract.spec.model.batch_size,
        "gate": [gate.threshold(cell.group), gate.confidence],
        "items": _items(inputs.prepared, inputs.dense),
        "curtailed": curtailed,
        "code": [sources(), own_methods(contract)],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def _engine(engine: Engine) -> dict[str, Any]:
    return {
        "weights": engine.weights,
        "prompt": engine.prompt.fingerprint(),
        "dtype": engine.dtype,
        "end_of_text": engine.end_of_text,
        **engine.versions(),
    }


def _items(prepared: Sequence[Prepared], dense: Sequence[Row]) -> list[list[Any]]:
    return [
        [entry.task.fingerprint, entry.item.id, entry.hash, row.score]
        for entry, row in zip(prepared, dense, strict=True)
    ]
