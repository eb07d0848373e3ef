"""`--sparsetol-json`: the shape is kept stable, numbers are fractions, nothing that was selected is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.plugin.running import edit

CELL = {
    "contract", "model", "deployment", "group", "length", "verdict", "reason", "degradation", "lower", "upper",
    "threshold", "resolves", "items", "dense_score", "sparse_score", "missing_rate", "truncated_rate",
    "declared_sparsity", "measured_sparsity", "loaded_sparsity", "methods", "found", "layers", "local_layers",
    "decode_from", "sparse_steps", "noise", "cost", "evidence_recall", "device", "backend", "seconds",
    "seconds_per_item", "peak_memory", "node_id",
}  # fmt: skip
MIX = {
    "contract", "model", "deployment", "length", "verdict", "reason", "degradation", "lower", "upper", "threshold",
    "resolves", "groups", "node_id",
}  # fmt: skip


def read(project: pytest.Pytester) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((project.path / "report.json").read_text())
    return report


def test_the_shape(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "out/report.json")

    report = json.loads((project.path / "out" / "report.json").read_text())
    assert set(report) == {
        "schema", "cells", "mix", "equal_compute", "contracts", "shard", "environment", "evidence", "errors",
    }  # fmt: skip
    assert report["schema"] == 1
    assert [set(cell) for cell in report["cells"]] == [CELL] * 4
    assert [set(mix) for mix in report["mix"]] == [MIX] * 2
    harsh = next(cell for cell in report["cells"] if cell["node_id"] == "sparsetol.yaml::harsh::single_qa[256]")
    assert (harsh["contract"], harsh["model"], harsh["length"]) == ("sparsetol.yaml", "model", 256)
    assert harsh["declared_sparsity"] == {"prefill": 0.5, "kv": None, "decode": None}
    assert harsh["degradation"] == pytest.approx(harsh["dense_score"] - harsh["sparse_score"])
    assert harsh["lower"] < harsh["degradation"] <= harsh["upper"] <= 1
    assert harsh["sparse_steps"] is None
    assert harsh["cost"]["decode_bytes"] == harsh["cost"]["dense_decode_bytes"] > 0
    assert report["equal_compute"] == []
    assert harsh["noise"] == {"between": "dense definition", "items": 16, "differ": 0, "mean": 0.0, "floor": 0.0}
    assert report["shard"] is None
    assert report["contracts"]["sparsetol.yaml"]["items"] == {"single_qa": 32, "multi_qa": 32}
    evidence = report["evidence"][harsh["node_id"]]
    assert len(evidence["differences"]) == len(evidence["tasks"]) == len(evidence["clusters"]) == harsh["items"]
    assert sum(evidence["differences"]) / harsh["items"] == pytest.approx(harsh["degradation"])
    assert report["mix"][0]["groups"] == {"single_qa": 0.7, "multi_qa": 0.3}
    assert report["environment"]["torch"]
    assert report["errors"] == []


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_what_a_stopped_run_did_not_reach_is_untested(project: pytest.Pytester, workers: tuple[str, ...]) -> None:
    project.runpytest_subprocess("sparsetol.yaml", "--sparsetol-json", "report.json", "-x", "-k", "harsh", *workers)

    report = read(project)
    reasons = {entry["node_id"].rpartition("::")[2]: entry["reason"] for entry in (*report["cells"], *report["mix"])}
    assert reasons.keys() == {"single_qa[256]", "multi_qa[256]", "mix[256]"}
    assert reasons["multi_qa[256]"] == "the run ended before it"
    assert reasons["mix[256]"].endswith("multi_qa: the run ended before it")
    assert {entry["verdict"] for entry in (*report["cells"], *report["mix"])} == {"FAIL", "UNTESTED"}


def test_a_mix_whose_groups_all_ran_is_decided_though_the_run_stopped_before_it(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "report.json", "-x", "-k", "safe or single")

    assert {mix["node_id"]: mix["verdict"] for mix in read(project)["mix"]} == {
        "sparsetol.yaml::safe::mix[256]": "PASS"
    }


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_an_interrupted_run_says_so(project: pytest.Pytester, workers: tuple[str, ...]) -> None:
    with (project.path / "conftest.py").open("a") as file:
        file.write("\n\ndef pytest_runtest_logreport(report):\n")
        file.write("    if 'single' in report.nodeid:\n        raise KeyboardInterrupt\n")

    result = project.runpytest_subprocess("sparsetol.yaml", "--sparsetol-json", "report.json", "-k", "safe", *workers)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    report = read(project)
    assert report["errors"] == ["the run was stopped before its end (exit 2, interrupted)"]
    assert [entry["verdict"] for entry in (*report["cells"], *report["mix"])] == ["UNTESTED"] * 3


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_what_was_not_collected_is_an_error(project: pytest.Pytester, workers: tuple[str, ...]) -> None:
    edit(project, "suite:", "suit:")
    project.makepyfile(test_unit="import gone")

    project.runpytest_subprocess(".", "--sparsetol-json", "report.json", *workers)

    report = read(project)
    assert report["cells"] == report["mix"] == []
    broken, unit = sorted(report["errors"])[:2]
    assert broken.startswith("sparsetol.yaml was not collected: sparsetol.yaml:3:1: unknown key 'suit'; did you mean")
    assert unit.startswith("test_unit.py was not collected: ")
    assert "No module named 'gone'" in unit


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("test_unit.py",), "no cell was collected or selected"),
        (("sparsetol.yaml", "-k", "gone"), "no cell was collected or selected"),
        (("gone.yaml",), "the run was stopped before its end (exit 4, usage error)"),
    ],
)
def test_a_run_of_no_cell_does_not_leave_an_earlier_report(
    project: pytest.Pytester, arguments: tuple[str, ...], said: str
) -> None:
    project.makepyfile(test_unit="def test_unit(): pass")
    (project.path / "report.json").write_text('{"schema": 1, "cells": []}')

    project.runpytest_inprocess("--sparsetol-json", "report.json", *arguments)

    assert read(project)["errors"] == [said]


def test_a_report_that_cannot_be_written_is_red_and_the_verdicts_are_still_shown(project: pytest.Pytester) -> None:
    (project.path / "file").touch()

    result = project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "file/report.json", "-k", "safe")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["PASS *safe *mix*", "report *file/report.json cannot be written, so it is red: *"])
    result.assert_outcomes(passed=3)


def test_a_folder_is_refused_before_anything_runs(project: pytest.Pytester) -> None:
    (project.path / "out").mkdir()

    result = project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "out")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--sparsetol-json 'out' is a folder; name a file in it" in result.stderr.str()


def test_a_file_that_is_no_report_is_not_written_over(project: pytest.Pytester) -> None:
    contract = (project.path / "sparsetol.yaml").read_text()

    result = project.runpytest_inprocess("--sparsetol", "-k", "safe and single", "--sparsetol-json", "sparsetol.yaml")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--sparsetol-json 'sparsetol.yaml' is there and holds no report; name another file" in result.stderr.str()
    assert (project.path / "sparsetol.yaml").read_text() == contract
