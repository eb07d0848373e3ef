"""The examples on the reference model, by their `smoke` profiles."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What one run of both contracts printed, and its cells and mixes by node id."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(REPOSITORY / "baselines" / "reference" / "model", folder / "baselines" / "reference" / "model")
    names = ["examples/quickstart", "examples/overclaimed"]
    for name in names:
        shutil.copytree(REPOSITORY / name, folder / name)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *names, "--sparsetol-profile", "smoke", "--sparsetol-json", "report.json"],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout
    report = json.loads((folder / "report.json").read_text())
    return run.stdout, {entry["node_id"]: entry for entry in (*report["cells"], *report["mix"])}


@pytest.mark.parametrize(
    ("deployment", "phase", "sparsity"), [("prefill-3x", "prefill", 0.67), ("decode-2x", "decode", 0.5)]
)
def test_the_quickstart_is_green(ran: tuple[str, dict[str, Any]], deployment: str, phase: str, sparsity: float) -> None:
    cell = ran[1][f"examples/quickstart/sparsetol.yaml::{deployment}::multi_hop[1k]"]

    assert (cell["verdict"], cell["items"]) == ("PASS", 12)
    assert cell["dense_score"] > 0.95
    assert abs(cell["measured_sparsity"][phase] - sparsity) < 0.02


def test_the_claim_is_red_where_it_does_not_hold_and_says_why(ran: tuple[str, dict[str, Any]]) -> None:
    cell = ran[1]["examples/overclaimed/sparsetol.yaml::cache-5x::multi_hop[1k]"]

    assert cell["verdict"] in {"FAIL", "INCONCLUSIVE"}
    assert cell["degradation"] > 0.1
    assert f"{cell['verdict']} multi_hop[1k] cache-5x: {cell['reason']}" in ran[0]
