"""Cells are tests like any other: `-k`, `-m`, `--co`, `--lf`, `-x`, node ids."""

from __future__ import annotations

import json
import shutil

import pytest


def test_node_ids(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--co", "-q", "sparsetol.yaml")

    assert [line for line in result.outlines if "::" in line] == [
        "sparsetol.yaml::safe::single_qa[256]",
        "sparsetol.yaml::safe::multi_qa[256]",
        "sparsetol.yaml::harsh::single_qa[256]",
        "sparsetol.yaml::harsh::multi_qa[256]",
        "sparsetol.yaml::safe::mix[256]",
        "sparsetol.yaml::harsh::mix[256]",
    ]


def test_one_cell_by_its_node_id(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("sparsetol.yaml::safe::single_qa[256]")

    result.assert_outcomes(passed=1)


def test_the_marker(project: pytest.Pytester) -> None:
    project.makepyfile(test_unit="def test_unit(): pass")

    result = project.runpytest_inprocess("-m", "sparsetol", "--co", "-q", ".")
    assert "6/7 tests collected (1 deselected)" in result.stdout.str()
    result = project.runpytest_inprocess("-m", "not sparsetol", ".")
    result.assert_outcomes(passed=1, deselected=6)


def test_last_failed_runs_what_failed(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("sparsetol.yaml", "-k", "single")

    result = project.runpytest_inprocess("sparsetol.yaml", "--lf", "-v")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["sparsetol.yaml::harsh::single_qa[[]256] FAILED*"])


def test_exit_first_stops(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("sparsetol.yaml", "-x", "-k", "harsh")

    result.assert_outcomes(failed=1, deselected=3)


def test_collecting_only_decides_nothing_and_writes_nothing(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("sparsetol.yaml", "--co", "--sparsetol-json", "report.json")

    assert result.ret == pytest.ExitCode.OK
    assert not (project.path / "report.json").exists()
    assert "verdict" not in result.stdout.str()


@pytest.mark.parametrize("named", ["project/sparsetol.yaml", "project"])
def test_a_contract_outside_the_root_is_named_by_its_whole_path(project: pytest.Pytester, named: str) -> None:
    shutil.copytree(project.path, project.path / "project")
    project.mkdir("root")
    options = ("--rootdir", "root", "--sparsetol-json", "report.json")

    result = project.runpytest_inprocess(named, *options)

    result.assert_outcomes(passed=3, failed=3)
    report = json.loads((project.path / "report.json").read_text())
    path = str(project.path / "project" / "sparsetol.yaml")
    assert list(report["contracts"]) == [path]
    assert {entry["node_id"].partition("::")[0] for entry in (*report["cells"], *report["mix"])} == {path}
    assert f"  again        pytest '{path}::harsh::single_qa[256]'" in result.outlines
    project.runpytest_inprocess(named, *options, "--lf").assert_outcomes(failed=3)
