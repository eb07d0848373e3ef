"""`--sparsetol-record`: dense baselines are written when asked for, and only what is missing unless all is meant."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.running import edit, run

MARK = 99
"""Tokens of an answer that no task here allows."""

LISTED = """\
        with open("scored.txt", "a") as file:
            file.write(item.id + "\\n")
        if not reply.strip():"""
"""Every reply that is scored leaves its item's id in a file."""

STOPPED = LISTED.replace(
    "        if not",
    """\
        if Path("stop").exists() and len(Path("scored.txt").read_text().split()) == 10:
            raise KeyError("stopped")
        if not""",
)
"""And the tenth is the last while a file says so."""


def stored(project: pytest.Pytester) -> dict[str, str]:
    return {path.name: path.read_text() for path in Path(project.path, "baselines").rglob("*.jsonl")}


def mark(project: pytest.Pytester) -> dict[str, str]:
    """Give all stored rows an answer as long as none is, and each file a row of another contract's items."""
    for path in Path(project.path, "baselines").rglob("*.jsonl"):
        header, *lines = path.read_text().splitlines()
        rows = [json.loads(line) | {"answer_tokens": MARK} for line in lines]
        rows.append(rows[0] | {"item": f"{path.name.partition('-')[0]}/7/0"})
        rewrite(path, json.loads(header), rows)
    return stored(project)


def rewrite(path: Path, header: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write a file whose checksum fits."""
    lines = [json.dumps(row) for row in rows]
    whole = header | {"rows": len(rows), "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}
    path.write_text("\n".join([json.dumps(whole), *lines]) + "\n")


def answer_tokens(text: str) -> dict[str, int]:
    """By item, from a file's text."""
    return {row["item"]: row["answer_tokens"] for row in map(json.loads, text.splitlines()[1:])}


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


def test_all_records_anew_what_the_run_asks_for_and_keeps_the_rest(project: pytest.Pytester) -> None:
    before = mark(project)
    edit(project, "max: 32", "max: 30")

    result, _ = run(project, "-k", "safe and single", "--sparsetol-record=all")

    assert result.ret == pytest.ExitCode.OK
    after = {name: text for name, text in stored(project).items() if name.startswith("one-256-")}
    (rows,) = map(answer_tokens, after.values())
    asked = {f"one/0/{index}" for index in range(30)}
    assert {item for item, tokens in rows.items() if tokens != MARK} == asked
    assert set(rows) == asked | {"one/0/30", "one/0/31", "one/7/0"}
    assert stored(project).keys() == before.keys()


def test_all_in_workers_that_share_a_file_loses_nothing(project: pytest.Pytester) -> None:
    mark(project)
    contract = (project.path / "sparsetol.yaml").read_text()
    (project.path / "seed.sparsetol.yaml").write_text(contract.replace("seed: 0", "seed: 1"))

    # Each contract in a worker of its own, which then records the same files as the other.
    options = ("-n", "2", "--dist", "loadfile", "-k", "safe", "--sparsetol-record=all")
    project.runpytest_subprocess("sparsetol.yaml", "seed.sparsetol.yaml", *options)

    for name, text in stored(project).items():
        task = name.partition("-")[0]
        rows = answer_tokens(text)
        assert {item for item, tokens in rows.items() if tokens == MARK} == {f"{task}/7/0"}
        assert set(rows) == {f"{task}/7/0", *(f"{task}/{seed}/{index}" for seed in (0, 1) for index in range(32))}


def test_all_records_an_item_once_in_all_workers_of_a_run(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(project, "        if not reply.strip():", LISTED, "agreement.py")

    def scored(of_run: str) -> int:
        """Replies that are scored, sparse ones included, by a worker that runs one cell."""
        monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", of_run)
        (project.path / "scored.txt").write_text("")
        run(project, "-k", "safe and single", "--sparsetol-record=all")
        return len((project.path / "scored.txt").read_text().split())

    dense, noise, sparse = 32, 16, 32
    assert scored("first") == dense + noise + sparse
    assert scored("first") == sparse
    assert scored("second") == dense + noise + sparse


def test_all_that_was_stopped_is_finished_by_missing(project: pytest.Pytester) -> None:
    mark(project)
    edit(project, "        if not reply.strip():", STOPPED, "agreement.py")
    (project.path / "stop").touch()

    run(project, "-k", "safe and single", "--sparsetol-record=all")
    (text,) = (text for name, text in stored(project).items() if name.startswith("one-256-"))
    rows = answer_tokens(text)
    assert {item for item, tokens in rows.items() if tokens == MARK} == {"one/7/0"}
    assert len(rows) == 1 + 9

    (project.path / "stop").unlink()
    result, _ = run(project, "-k", "safe and single", "--sparsetol-record")
    assert result.ret == pytest.ExitCode.OK
    (text,) = (text for name, text in stored(project).items() if name.startswith("one-256-"))
    assert len(answer_tokens(text)) == 1 + 32
    assert json.loads(text.splitlines()[0])["noise"]


def test_all_takes_the_place_of_a_damaged_file(project: pytest.Pytester) -> None:
    before = stored(project)
    (path,) = Path(project.path, "baselines").rglob("one-256-*.jsonl")
    path.write_text("<<<<<<< ours\n")

    result, _ = run(project, "-k", "safe and single", "--sparsetol-record=all")

    assert result.ret == pytest.ExitCode.OK
    assert stored(project)[path.name].splitlines()[1:] == before[path.name].splitlines()[1:]


def test_what_cannot_be_written_is_found_before_anything_is_answered(project: pytest.Pytester) -> None:
    # Of all that a file system refuses, names that are too long are refused to every user.
    name = 225 * "n"
    edit(project, "  one:", f"  {name}:", "suite.yaml")
    edit(project, "        if not reply.strip():", LISTED, "agreement.py")

    result, cells = run(project, "-k", "safe and single", "--sparsetol-record")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert cells["safe::single_qa[256]"]["verdict"] == "ERROR"
    assert re.fullmatch(
        rf"baseline {project.path}/baselines/agreement/{name}-256-\w+.jsonl cannot be written: File name too long.*",
        cells["safe::single_qa[256]"]["reason"],
    )
    assert "Traceback" not in result.stdout.str()
    assert not (project.path / "scored.txt").exists()


@pytest.mark.parametrize("noise", [True, False])
def test_prompts_that_changed_are_found_before_anything_is_answered(project: pytest.Pytester, *, noise: bool) -> None:
    for path in Path(project.path, "baselines").rglob("one-256-*.jsonl"):
        header, *lines = map(json.loads, path.read_text().splitlines())
        if not noise:
            del header["noise"]
        rewrite(path, header, [row | {"prompt": 16 * "0"} for row in lines])
    before = stored(project)
    edit(project, "max: 32", "max: 34")
    edit(project, "        if not reply.strip():", LISTED, "agreement.py")

    result, cells = run(project, "-k", "safe and single", "--sparsetol-record")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "has another prompt now" in cells["safe::single_qa[256]"]["reason"]
    assert not (project.path / "scored.txt").exists()
    assert stored(project) == before


@pytest.mark.parametrize("factor", ["2", "float('nan')"])
def test_scores_that_are_none_are_not_recorded(project: pytest.Pytester, factor: str) -> None:
    shutil.rmtree(project.path / "baselines")
    edit(project, "return Score(float(", f"return Score({factor} * float(", "agreement.py")

    _, cells = run(project, "-k", "safe and single", "--sparsetol-record")

    assert cells["safe::single_qa[256]"]["verdict"] == "ERROR"
    assert re.fullmatch(
        r"item one/0/\d+: its task gives the dense answer (2|nan); scores must lie in \[0, 1\]",
        cells["safe::single_qa[256]"]["reason"],
    )
    assert stored(project) == {}


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
