"""What is said at collection about what the items can resolve."""

from __future__ import annotations

import shutil

import pytest

from tests.plugin.running import edit, run

SHORT = "PowerWarning: sparsetol.yaml: too few items: fewer than 9 safe runs of 10 would pass."


def test_each_cell_says_what_its_items_resolve(project: pytest.Pytester) -> None:
    edit(project, "max_degradation: 0.10", "max_degradation: 0.15")
    result = project.runpytest_inprocess("sparsetol.yaml", "--co", "-q")

    (line,) = [line for line in result.outlines if line.startswith("sparsetol: ")]
    assert line.startswith("sparsetol: sparsetol.yaml: the items resolve a loss, in points at 256, of single_qa 1")
    assert line.endswith("(n=64): 9 safe runs of 10 pass there")
    assert "PowerWarning" not in result.stdout.str()

    result, cells = run(project, "-k", "harsh")
    for name in ("single_qa", "mix"):
        resolves = cells[f"harsh::{name}[256]"]["resolves"]
        assert f"{name} {100 * resolves:.1f} (n=" in line
        assert (
            f"  resolves     a loss of {100 * resolves:.1f} points, where 9 safe runs of 10 would pass"
            in result.outlines
        )
    assert 1 - 0.05 ** (1 / 32) < cells["harsh::single_qa[256]"]["resolves"] <= 0.15


def test_a_warning_where_that_exceeds_the_threshold(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("sparsetol.yaml", "--co", "-q")

    (warning,) = [line for line in result.outlines if SHORT in line]
    assert "multi_qa[256] 14.6 (allowed 10.0)" in warning or "single_qa[256] 13" in warning
    assert "differences vary half as much as the 32 stored dense scores" in warning


def test_without_a_baseline_the_guess_is_said(project: pytest.Pytester) -> None:
    shutil.rmtree(project.path / "baselines")

    result = project.runpytest_inprocess("sparsetol.yaml", "--co", "-q")

    assert "Assumed of single_qa[256]: 5 % of the scores change (a guess: no baseline is stored)" in result.stdout.str()


def test_a_damaged_baseline_is_named_and_its_own_cells_are_errors(project: pytest.Pytester) -> None:
    (path,) = (project.path / "baselines").rglob("one-256-*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"sha256"', b'"sha265"'))
    said = f"baseline {path}, line 1, is damaged: sha256: "

    result = project.runpytest_inprocess("sparsetol.yaml", "--co", "-q")
    assert result.ret == pytest.ExitCode.OK
    assert f"Assumed of single_qa[256]: 5 % of the scores change (a guess: {said}" in result.stdout.str()

    result, cells = run(project, "-k", "safe")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "Traceback" not in result.stdout.str()
    assert cells["safe::single_qa[256]"]["verdict"] == "ERROR"
    assert cells["safe::single_qa[256]"]["reason"].startswith(said)
    assert cells["safe::multi_qa[256]"]["verdict"] == "PASS"


def test_warnings_as_errors_still_collect_unless_they_are_named(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("sparsetol.yaml", "--co", "-q", "-W", "error")
    assert result.ret == pytest.ExitCode.OK
    assert result.stdout.str().count(SHORT) == 1

    named = ("-W", "error::pytest_sparsetol.errors.PowerWarning")
    assert project.runpytest_subprocess("sparsetol.yaml", "--co", "-q", *named).ret != pytest.ExitCode.OK
