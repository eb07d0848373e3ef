"""The noise floor: measured while recording, told in the report, and no threshold may lie below it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.running import edit, run


def headers(project: pytest.Pytester) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Files of the store with their headers, by task."""
    found = {}
    for path in (project.path / "baselines").rglob("*.jsonl"):
        header = json.loads(path.read_text().splitlines()[0])
        found[header["fingerprint"]["task"]] = path, header
    return found


def change(path: Path, header: dict[str, Any]) -> None:
    rows = path.read_text().splitlines()[1:]
    path.write_text("\n".join([json.dumps(header), *rows]) + "\n")


def test_recording_compares_dense_with_itself(project: pytest.Pytester) -> None:
    edit(project, "device: cpu}", "device: cpu, batch_size: 4}")
    run(project, "--sparsetol-record=all", "-k", "safe and single")

    path, header = headers(project)["one"]
    assert {name: len(values) for name, values in header["noise"].items()} == {
        "batch 1 for 4": 16,
        "dense definition": 16,
    }
    before = path.read_text()
    run(project, "--sparsetol-record", "-k", "safe and single")
    assert path.read_text() == before, "nothing is missing, so nothing is written"


def test_a_threshold_below_the_floor_is_refused(project: pytest.Pytester) -> None:
    path, header = headers(project)["one"]
    header["noise"] = {"dense definition": [0.0] * 16, "batch 1 for 4": [1.0, -1.0] * 4 + [0.0] * 8}
    change(path, header)

    result, cells = run(project, "-k", "safe")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    cell = cells["safe::single_qa[256]"]
    assert cell["verdict"] == "ERROR"
    assert cell["reason"].startswith(
        "the allowed 10.0 points are below the noise floor: dense itself (batch 1 for 4) differs by at least "
        "27.9 points on average (it does on 8 of 16 items"
    )
    assert cell["noise"]["mean"] == 0.5
    assert cells["safe::multi_qa[256]"]["verdict"] == "PASS"
    assert cells["safe::mix[256]"]["verdict"] == "ERROR"


def test_one_item_that_flips_refuses_nothing_and_is_told(project: pytest.Pytester) -> None:
    path, header = headers(project)["one"]
    header["noise"] = {"dense definition": [1.0] + [0.0] * 15}
    change(path, header)

    result, cells = run(project, "-k", "harsh and single")

    assert cells["harsh::single_qa[256]"]["verdict"] == "FAIL"
    told = "  noise        dense itself (dense definition) differs by 6.2 points on average, by at least 0.3 (n=16)"
    assert told in result.outlines


def test_a_baseline_recorded_without_is_said_and_fails_nothing(project: pytest.Pytester) -> None:
    path, header = headers(project)["one"]
    del header["noise"]
    change(path, header)

    result, cells = run(project, "-k", "single")
    assert cells["safe::single_qa[256]"]["verdict"] == "PASS"
    assert cells["safe::single_qa[256]"]["noise"] is None
    said = "  noise        floor not known: the baseline was recorded without; --sparsetol-record measures it"
    assert said in result.outlines

    run(project, "--sparsetol-record", "-k", "safe and single")
    assert list(headers(project)["one"][1]["noise"]) == ["dense definition"]
    assert headers(project)["one"][1]["recorded"] == header["recorded"]
