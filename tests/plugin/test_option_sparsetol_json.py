"""`--sparsetol-json`: the shape is kept stable, numbers are fractions, nothing that was selected is left out."""

from __future__ import annotations

import json

import pytest

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


def test_the_shape(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "out/report.json")

    report = json.loads((project.path / "out" / "report.json").read_text())
    assert set(report) == {
        "schema", "cells", "mix", "equal_compute", "contracts", "shard", "environment", "evidence",
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


def test_cells_that_a_stopped_run_did_not_reach_are_untested(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "report.json", "-x", "-k", "harsh")

    cells = json.loads((project.path / "report.json").read_text())["cells"]
    assert [(cell["group"], cell["verdict"], cell["reason"]) for cell in cells if cell["verdict"] != "FAIL"] == [
        ("multi_qa", "UNTESTED", "the run ended before it")
    ]


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
