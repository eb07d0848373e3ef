"""`-n 2`: the same verdicts as in one process, nothing written twice, and a worker that dies is an error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest


def run(project: pytest.Pytester, *arguments: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    # In a process of its own: workers and an in-process controller would share too much.
    result = project.runpytest_subprocess("sparsetol.yaml", "--sparsetol-json", "report.json", *arguments)
    report = json.loads((project.path / "report.json").read_text())
    return result, {cell["node_id"]: cell for cell in (*report["cells"], *report["mix"])}


def decided(cells: dict[str, Any]) -> dict[str, Any]:
    return {
        node: {k: v for k, v in cell.items() if k not in {"seconds", "seconds_per_item"}}
        for node, cell in cells.items()
    }


def test_two_workers_decide_as_one_process(project: pytest.Pytester) -> None:
    _, alone = run(project)

    result, shared = run(project, "-n", "2", "--junitxml", "junit.xml")

    assert decided(shared) == decided(alone)
    result.assert_outcomes(passed=3, failed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [line for line in result.outlines if line.startswith("FAILED sparsetol.yaml::harsh::mix[256] - FAIL")]
    assert 'tests="6"' in (project.path / "junit.xml").read_text()


def test_two_workers_record_the_same_store(project: pytest.Pytester) -> None:
    store = project.path / "baselines"
    before = {path.name: path.read_text().splitlines()[1:] for path in store.rglob("*.jsonl")}
    shutil.rmtree(store)

    run(project, "-n", "2", "--sparsetol-record=all")

    assert {path.name: path.read_text().splitlines()[1:] for path in store.rglob("*.jsonl")} == before
    assert [path.name for path in store.rglob("*") if path.is_file() and path.suffix != ".jsonl"] == []


def test_a_worker_that_dies_is_an_error_in_the_mix(project: pytest.Pytester) -> None:
    with Path(project.path, "agreement.py").open("a") as file:
        file.write("\n\ndef _die(self, item, reply):\n    import os\n    os._exit(1)\n\nAgreement.score = _die\n")

    result, cells = run(project, "-n", "1", "--max-worker-restart=0", "-k", "safe")

    assert result.ret != pytest.ExitCode.OK
    verdicts = [cells[f"sparsetol.yaml::safe::{name}[256]"]["verdict"] for name in ("single_qa", "multi_qa", "mix")]
    assert sorted(verdicts[:2]) == ["ERROR", "UNTESTED"]
    assert verdicts[2] == "ERROR"


def test_a_contract_outside_the_root_is_weighed_as_any_other(project: pytest.Pytester) -> None:
    shutil.copytree(project.path, project.path / "project")
    project.mkdir("root")

    options = ("--rootdir", "root", "--sparsetol-json", "report.json", "-n", "1", "-k", "safe")
    result = project.runpytest_subprocess("project/sparsetol.yaml", *options)

    assert result.ret == pytest.ExitCode.OK
    report = json.loads((project.path / "report.json").read_text())
    assert [(mix["node_id"], mix["verdict"]) for mix in report["mix"]] == [
        (f"{project.path}/project/sparsetol.yaml::safe::mix[256]", "PASS")
    ]
