"""`--sparsetol-record`: dense baselines are written when asked for, and only what is missing unless all is meant."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.plugin.running import edit, run


def stored(project: pytest.Pytester) -> dict[str, str]:
    return {path.name: path.read_text() for path in Path(project.path, "baselines").rglob("*.jsonl")}


def test_recording_then_gating_in_one_run(project: pytest.Pytester) -> None:
    before = stored(project)
    shutil.rmtree(project.path / "baselines")

    result, cells = run(project, "-k", "safe", "--sparsetol-record")

    assert result.ret == pytest.ExitCode.OK
    assert cells["safe::single_qa[256]"]["verdict"] == "PASS"
    rows = {name: text.splitlines()[1:] for name, text in before.items()}
    assert {name: text.splitlines()[1:] for name, text in stored(project).items()} == rows


def test_what_is_there_is_kept_and_what_is_missing_is_added(project: pytest.Pytester) -> None:
    before = stored(project)
    edit(project, "max: 32", "max: 34")

    run(project, "-k", "safe and single", "--sparsetol-record=missing")

    after = stored(project)
    (changed,) = (name for name in before if after[name] != before[name])
    assert changed.startswith("one-256-")
    assert json.loads(after[changed].splitlines()[0])["rows"] == 34
    assert set(before[changed].splitlines()[1:]) < set(after[changed].splitlines()[1:])


def test_all_rewrites(project: pytest.Pytester) -> None:
    before = stored(project)
    edit(project, "max: 32", "max: 30")

    run(project, "-k", "safe and single", "--sparsetol-record=all")

    (name,) = (name for name in before if name.startswith("one-256-"))
    assert json.loads(stored(project)[name].splitlines()[0])["rows"] == 30


def test_nothing_is_written_without_it(project: pytest.Pytester) -> None:
    before = stored(project)
    edit(project, "max: 32", "max: 34")

    result, cells = run(project, "-k", "safe and single")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "lacks 2 of 34 items" in cells["safe::single_qa[256]"]["reason"]
    assert stored(project) == before


def test_a_word_that_is_neither_is_a_usage_error(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--sparsetol-record", "sparsetol.yaml")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*takes missing or all, not 'sparsetol.yaml'; before a path write --sparsetol-record=missing"]
    )
