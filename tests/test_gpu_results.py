"""Measurements on a GPU are of the kernels as they are: each run names the sources of its kernels and their hash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sparsetol_kernels.source import source_hash

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def runs(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """The rows that say what was measured, by file."""
    found = []
    for path in sorted(folder.glob("*.json")):
        rows = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(rows, list):
            found += [(path.name, row) for row in rows if "sources" in row]
    return found


def stale(folder: Path) -> list[str]:
    """Files whose kernels have changed since they were measured."""
    return [name for name, row in runs(folder) if source_hash(*row["files"]) != row["sources"]]


def test_results_are_of_these_kernels() -> None:
    if not runs(RESULTS):
        pytest.skip("no results of a GPU are kept yet")

    assert stale(RESULTS) == [], "measure again (see the benchmark's first lines), or take the results out"


def test_results_of_other_kernels_are_found(tmp_path: Path) -> None:
    files = ["on_triton/block_sparse.py"]
    for name, sources in (("fresh", source_hash(*files)), ("old", "0" * 16)):
        (tmp_path / f"{name}.json").write_text(json.dumps([{"what": "run", "sources": sources, "files": files}]))

    assert stale(tmp_path) == ["old.json"]
