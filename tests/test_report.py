"""What reports say of numbers, and which reports are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_sparsetol.errors import ReportError
from pytest_sparsetol.report.jsonfile import Report, read_json, write_json
from pytest_sparsetol.result import CellResult, Evidence, lost, points

CELL = CellResult(
    contract="sparsetol.yaml", model="m", deployment="d", group="g", length=1024, verdict="PASS", reason="",
    threshold=0.05, declared_sparsity={}, measured_sparsity={}, loaded_sparsity={}, node_id="sparsetol.yaml::d::g[1k]",
)  # fmt: skip


@pytest.mark.parametrize(
    ("loss", "said"),
    [(0.234, "lost 23.4 points"), (-0.012, "gained 1.2 points"), (-0.0004, "lost 0.0 points"), (0, "lost 0.0 points")],
)
def test_a_loss_that_rounds_to_nothing_has_no_sign(loss: float, said: str) -> None:
    assert lost(loss) == said
    assert not points(-0.0004).startswith("-")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    write_json(path, Report([CELL], [], {CELL.node_id: Evidence([0.0], ["t"], ["c"])}))
    return path


def test_what_a_later_version_adds_is_left_out(written: Path) -> None:
    raw: dict[str, Any] = json.loads(written.read_text())
    raw["cells"][0]["added"] = raw["evidence"][CELL.node_id]["added"] = raw["added"] = 1
    written.write_text(json.dumps(raw))

    report = read_json(written)

    assert list(report.cells) == [CELL]
    assert report.evidence[CELL.node_id].differences == [0.0]


@pytest.mark.parametrize("cells", [[[]], [{"contract": "sparsetol.yaml"}], 3])
def test_a_report_of_another_shape_is_refused(written: Path, cells: object) -> None:
    written.write_text(json.dumps({**json.loads(written.read_text()), "cells": cells}))

    with pytest.raises(ReportError, match="lacks what this version reads"):
        read_json(written)
