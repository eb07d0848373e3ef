"""What a suite's file may say, and what its errors say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sparsetol_suites.errors import SuiteError
from sparsetol_suites.located_yaml import LocatedError
from sparsetol_suites.suite import load_suite, shipped

from tests.suites.drawn import COUNTER
from tests.suites.sample_records import question, write

GOOD = """\
suite: 1
name: mine
version: 3
shortest: 512
longest: 4k
tasks:
  one: {task: ruler_niah, style: words, group: mine}
  two: {task: qa, data: records.jsonl, shortest: 1k}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "records.jsonl", [question(number) for number in range(30)])
    (tmp_path / "suite.yaml").write_text(GOOD, encoding="utf-8")
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    assert GOOD.count(old) == 1
    (folder / "suite.yaml").write_text(GOOD.replace(old, new), encoding="utf-8")


def test_a_suite_of_ones_own(folder: Path) -> None:
    found = load_suite("suite.yaml", folder)
    assert (found.name, found.version, found.shortest, found.longest) == ("mine", 3, 512, 4096)
    one, two = found.tasks
    assert found.groups == ("mine", "single_qa")
    assert (one.scope, one.dispersion, one.available(), one.shortest) == ("low", "low", None, 512)
    assert (two.available(), two.shortest, two.longest) == (30, 1024, 4096)
    item = two.generate(1024, COUNTER, 5, 2)
    assert item.id == "two/5/2"
    assert item == load_suite("suite.yaml", folder).tasks[1].generate(1024, COUNTER, 5, 2)
    assert item != two.generate(1024, COUNTER, 6, 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("suite: 1", "suite: 2", "1:8: suite: 2 is not one of 1"),
        ("version: 3", "version: 0", "3:10: version: 0: "),
        ("version: 3\n", "", "1:1: missing key 'version'"),
        ("name: mine\n", "name: my suite\n", "2:7: name: 'my suite': "),
        ("shortest: 512", "shortest: 8k", "4:11: shortest: 8k is longer than longest"),
        ("longest: 4k", "longest: 4kb", "5:10: longest: '4kb' is not a length"),
        ("task: ruler_niah", "task: ruler_nia", "7:15: unknown task 'ruler_nia'; did you mean 'ruler_niah'?"),
        ("style: words", "style: word", "7:34: style: 'word': input should be 'characters' or 'words'"),
        ("style: words", "stile: words", "7:34: unknown parameter 'stile' of ruler_niah; did you mean 'style'?"),
        ("style: words", "queries: 0", "7:3: tasks.one: queries: 0 is not between 1 and 64"),
        ("group: mine", "group: my group", "7:48: tasks.one.group: 'my group': "),
        ("group: mine", "scope: none", "7:48: tasks.one.scope: 'none' is not one of 'low' or 'high'"),
        ("data: records.jsonl", "data: record.jsonl", "8:3: tasks.two: data: there is no file "),
        ("data: records.jsonl", "data: 3", "8:25: data: 3: "),
        ("data: records.jsonl", "data: 'hub:x'", "8:3: tasks.two: data: 'hub:x' is not of the form hub:"),
        ("shortest: 1k", "shortest: 8k", "8:50: tasks.two.shortest: 8k is outside the suite's 512 to 4k"),
        ("shortest: 1k", "shortest: 2k, longest: 1k", "8:3: tasks.two: 2k is longer than longest"),
        ("  one: ", "  two: ", "8:3: duplicate key 'two'; it stands on line 7 already"),
    ],
)
def test_errors_name_the_place(old: str, new: str, message: str, folder: Path) -> None:
    change(folder, old, new)
    with pytest.raises(LocatedError) as caught:
        load_suite("suite.yaml", folder)
    assert str(caught.value).startswith(f"{folder / 'suite.yaml'}:{message}")


def test_suites_that_are_not_there(folder: Path) -> None:
    assert {"frontier", "frontier-small"} <= set(shipped())
    with pytest.raises(SuiteError, match="no suite 'frontier-smal'; did you mean 'frontier-small'"):
        load_suite("frontier-smal", folder)
    with pytest.raises(SuiteError, match=r"suite 'none\.yaml' is not there"):
        load_suite("none.yaml", folder)


def test_the_fingerprint_follows_what_items_are_made_from(folder: Path) -> None:
    def prints() -> list[str]:
        return [task.fingerprint for task in load_suite("suite.yaml", folder).tasks]

    before = prints()
    assert len(set(before)) == 2
    assert before == prints()
    write(folder / "records.jsonl", [question(number) for number in range(1, 31)])
    after = prints()
    assert (after[0], after[1] == before[1]) == (before[0], False)
    change(folder, "version: 3", "version: 4")
    assert not set(prints()) & {*before, *after}


def test_where_data_lies_does_not_matter(folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    there.mkdir()
    for name in ("records.jsonl", "suite.yaml"):
        (there / name).write_bytes((folder / name).read_bytes())
    assert load_suite("suite.yaml", folder).fingerprint == load_suite("suite.yaml", there).fingerprint


def test_no_two_items_are_alike(folder: Path) -> None:
    found: list[Any] = []
    for name in ("frontier-small", "suite.yaml"):
        for task in load_suite(name, folder).tasks:
            found += [task.generate(1024, COUNTER, seed, index).prompt for seed in (0, 1) for index in range(5)]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", shipped())
def test_items_say_where_the_question_after_the_context_begins(name: str) -> None:
    for task in load_suite(name, Path()).tasks:
        length = max(task.shortest, 1024)
        if length > task.longest:
            continue
        item = task.generate(length, COUNTER, 0, 0)
        assert item.question is not None
        asked = item.prompt[item.question :]
        # What stands first too, in the paper's prompts, is the whole of it.
        assert item.prompt.count(asked) == (2 if task.task.question_first else 1)
        assert not asked[0].isspace()
        assert item.question > 0.5 * len(item.prompt)
        assert all(fact.end < item.question for fact in item.facts)
