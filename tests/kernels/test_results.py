"""Committed measurements of kernels belong to the sources that are here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sparsetol_kernels.source import source_hash

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def measured_sources(path: Path) -> list[dict[str, Any]]:
    """Rows that say which sources were measured."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [row for row in rows if "sources" in row] if isinstance(rows, list) and path.suffix == ".json" else []


@pytest.mark.parametrize(
    "path", [path for path in sorted(RESULTS.glob("*.json")) if measured_sources(path)], ids=lambda path: path.name
)
def test_they_are_not_stale(path: Path) -> None:
    for row in measured_sources(path):
        assert row["sources"] == source_hash(*row["files"]), f"{path.name}: measure again, the kernels have changed"
