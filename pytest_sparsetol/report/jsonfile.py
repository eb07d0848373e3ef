"""The machine-readable report of `--sparsetol-json`; its shape is versioned and kept stable."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from pytest_sparsetol.baseline import write_atomically
from pytest_sparsetol.cost.frontier import Frontier, frontiers
from pytest_sparsetol.distributed.shards import Shard
from pytest_sparsetol.errors import ReportError
from pytest_sparsetol.mixing import Terms
from pytest_sparsetol.result import CellResult, Evidence, MixResult

SCHEMA = 1
T = TypeVar("T", CellResult, MixResult, Evidence, Terms)


@dataclass(frozen=True)
class Report:
    """All that a run found.

    Attributes:
        cells: results of cells.
        mixes: results of mixes.
        evidence: paired outcomes behind the cells, by node id.
        contracts: terms of the contracts, by their path in node ids.
        shard: the part of a run that this is, None for a whole one.
        errors: what kept the run from being whole, besides UNTESTED results; a run with one is red.

    """

    cells: Sequence[CellResult]
    mixes: Sequence[MixResult]
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    contracts: Mapping[str, Terms] = field(default_factory=dict)
    shard: Shard | None = None
    errors: Sequence[str] = ()

    def frontiers(self) -> list[Frontier]:
        """Models of one contract side by side at equal cost."""
        confidences = {path: terms.confidence for path, terms in self.contracts.items()}
        return frontiers(self.cells, self.mixes, self.evidence, confidences)


def write_json(path: Path, report: Report) -> None:
    """Write all results in one step, cells and mixes in the order of their node ids."""
    head = {
        "schema": SCHEMA,
        "errors": list(report.errors),
        "cells": [dataclasses.asdict(result) for result in sorted(report.cells, key=lambda result: result.node_id)],
        "mix": [dataclasses.asdict(mix) for mix in sorted(report.mixes, key=lambda mix: mix.node_id)],
        "equal_compute": [dataclasses.asdict(found) for found in report.frontiers()],
        "contracts": {path: dataclasses.asdict(terms) for path, terms in sorted(report.contracts.items())},
        "shard": None if report.shard is None else dataclasses.asdict(report.shard),
        "environment": environment(),
    }
    # Evidence goes one line a cell: item by item it would be most of the file's lines.
    lines = [
        f"    {json.dumps(node_id)}: {json.dumps(dataclasses.asdict(evidence), allow_nan=False)}"
        for node_id, evidence in sorted(report.evidence.items())
        if evidence.differences or evidence.dense
    ]
    text = json.dumps(head, indent=2, allow_nan=False).removesuffix("\n}")
    inside = "{\n" + ",\n".join(lines) + "\n  }" if lines else "{}"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f'{text},\n  "evidence": {inside}\n}}\n')


def read_json(path: Path) -> Report:
    """Read what `write_json` wrote.

    Raises:
        ReportError: the file is not there, or is no report of this schema.

    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"report {path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ReportError(f"report {path} is not JSON: {error}") from None
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise ReportError(f"report {path} is not of schema {SCHEMA}; --sparsetol-json writes it")
    try:
        return Report(
            [_made(CellResult, entry) for entry in raw["cells"]],
            [_made(MixResult, entry) for entry in raw["mix"]],
            {node_id: _made(Evidence, entry) for node_id, entry in raw.get("evidence", {}).items()},
            {path: _made(Terms, entry) for path, entry in raw.get("contracts", {}).items()},
            Shard(**raw["shard"]) if raw.get("shard") else None,
            [str(error) for error in raw.get("errors", [])],
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ReportError(f"report {path} lacks what this version reads: {error}") from None


def _made(kind: type[T], entry: Mapping[str, Any]) -> T:
    """Keys that another version added are left out."""
    known = {part.name for part in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in entry.items() if name in known})


def environment() -> dict[str, Any]:
    """Versions of what decides results."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: _version(name) for name in ("pytest-sparsetol", "pytest", "torch", "transformers", "triton")},
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
