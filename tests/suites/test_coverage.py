from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from sparsetol_suites.coverage import CORNERS, coverage, unclaimed
from sparsetol_suites.suite import Suite, load_suite

TASK = "task: ruler_niah, style: words"


def suite(folder: Path, *tasks: str) -> Suite:
    listed = "\n".join(f"  {task}" for task in tasks)
    head = textwrap.dedent("""\
        suite: 1
        name: mine
        version: 1
        shortest: 512
        longest: 4k
        tasks:
        """)
    (folder / "suite.yaml").write_text(head + listed, encoding="utf-8")
    return load_suite("suite.yaml", folder)


def entry(name: str, scope: str, dispersion: str, more: str = "") -> str:
    return f"{name}: {{{TASK}, group: {name}, scope: {scope}, dispersion: {dispersion}{more}}}"


@pytest.mark.parametrize(("name", "lengths"), [("frontier-small", [512, 4096]), ("frontier", [16384, 131072])])
def test_shipped_suites_reach_three_corners_at_all_lengths(name: str, lengths: list[int]) -> None:
    found = load_suite(name, Path())
    corners = coverage(found)
    assert [(corner.scope, corner.dispersion) for corner in corners] == list(CORNERS)
    assert [bool(corner.tasks) for corner in corners] == [True, True, True, False]
    assert all(corner.reached(length) for corner in corners[:3] for length in lengths)
    assert sum(len(corner.tasks) for corner in corners) == len(found.tasks)
    assert unclaimed(found, found.groups, lengths) is None


def test_one_group_claims_little(tmp_path: Path) -> None:
    found = load_suite("frontier-small", tmp_path)
    said = unclaimed(found, ["single_qa"], [1024, 2048])
    assert said == (
        "the mix says nothing about answers that need many facts; answers whose facts are hard to find or far apart "
        "(groups of suite 'frontier-small' that would: aggregation, multi_hop)"
    )
    assert unclaimed(found, ["single_qa", "multi_hop"], [1024]) == (
        "the mix says nothing about answers that need many facts "
        "(groups of suite 'frontier-small' that would: aggregation)"
    )
    assert unclaimed(found, ["single_qa", "multi_hop", "aggregation"], [1024]) is None
    hard = unclaimed(found, ["multi_hop", "aggregation"], [1024])
    assert hard is not None
    assert hard.startswith("the mix says nothing about answers that need a few facts which are easy to find (groups")


def test_lengths_that_no_task_is_made_for(tmp_path: Path) -> None:
    found = suite(
        tmp_path,
        entry("easy", "low", "low"),
        entry("wide", "high", "low", ", longest: 2k"),
        entry("far", "low", "high", ", shortest: 1k"),
    )
    assert [task.longest for task in found.tasks] == [4096, 2048, 4096]
    groups = ["easy", "wide", "far"]
    assert unclaimed(found, groups, [1024, 2048]) is None
    assert unclaimed(found, groups, [512, 2048, 4096]) == (
        "the mix says nothing about answers that need many facts at 4k; "
        "answers whose facts are hard to find or far apart at 512"
    )
    everything = unclaimed(found, groups, [8192])
    assert everything is not None
    assert everything.count(";") == 2


def test_tasks_that_are_high_in_both_stand_for_either(tmp_path: Path) -> None:
    found = suite(tmp_path, entry("easy", "low", "low"), entry("hard", "high", "high"))
    assert unclaimed(found, ["easy", "hard"], [1024]) is None
    assert [corner.groups for corner in coverage(found)] == [("easy",), (), (), ("hard",)]
    assert coverage(found, ["easy"])[3].tasks == ()
