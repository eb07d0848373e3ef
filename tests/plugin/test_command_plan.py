"""`sparsetol plan`: items with which a safe release is green as a whole, from baselines or an earlier run."""

from __future__ import annotations

import functools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from sparsetol_suites.registry import TASKS

from pytest_sparsetol.cli import main
from pytest_sparsetol.contract import load_contract
from pytest_sparsetol.planning.assumptions import GUESS
from pytest_sparsetol.planning.release import plan_release
from pytest_sparsetol.statistics import Plan, decide
from tests.contract.samples import GOOD, write
from tests.plugin.running import edit


def plan_of(*arguments: str) -> int:
    """Exit status of a plan, with the project's own task known."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "agreement", "tests.plugin.agreement:Agreement")
        return main(["plan", *arguments])


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Lines of a plan, spaces of the table collapsed."""
    assert plan_of(*arguments) == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_safe_release_is_green_as_a_whole(tmp_path: Path) -> None:
    sixteen = GOOD.replace(
        "  quest-10x:",
        "".join(f"  q{n}: {{decode: {{method: quest, sparsity: 0.5}}}}\n" for n in range(2)) + "  quest-10x:",
    )
    contract = load_contract(write(tmp_path, sixteen.replace("  groups: {multi_qa: 0.08}\n  mix: 0.04\n", "")))
    plan = plan_release([contract], 0.9)
    cells = [row for row in plan.rows if not row.cell.is_mix]
    assert (len(cells), len(plan.rows)) == (16, 24)
    assert plan.now < 0.1, "16 cells that pass nine times in ten each are seldom all green"
    assert plan.most is not None

    items = plan.most

    @functools.cache
    def passes(gains: int, losses: int) -> bool:
        differences = [-1.0] * gains + [0.0] * (items - gains - losses) + [1.0] * losses
        return decide(differences, 0.05, plan=Plan(items)).verdict == "PASS"

    runs = 2000
    changes = np.random.default_rng(3).multinomial(items, [GUESS / 2, GUESS / 2, 1 - GUESS], size=runs)
    green = sum(passes(int(gains), int(losses)) for gains, losses, _ in changes)

    assert (green / runs) ** len(cells) >= 0.88
    assert sum(1 - row.power for row in plan.rows) <= 0.1
    assert sum(1 - row.power for row in plan_release([contract], 0.99).rows) <= 0.01


def test_from_the_baselines(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, str(project.path / "sparsetol.yaml"))

    (whole,) = [line for line in lines if line.startswith("With gate.items.max: ")]
    found = re.fullmatch(
        r"With gate.items.max: (\d+) it is green in at least 90 % of runs, however cells depend on each other, "
        r"and takes about (\S+) minutes.",
        whole,
    )
    assert found, "the recorded baselines say how long an item takes"
    assert any(re.fullmatch(rf"safe multi_qa\[256\] 10.0 32 \S+ % {found[1]} \S+ % \d+\.\d", line) for line in lines)
    assert "multi_qa[256]: differences vary half as much as the 32 stored dense scores" in lines
    assert "single_qa[256]: time of an item: that of dense items, as recorded" in lines
    assert any(line.startswith("Now a safe release of 4 cells and 2 mixes is green in about ") for line in lines)


def test_without_baselines_it_says_what_it_guesses(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project.path / "baselines")

    lines = said(capsys, str(project.path / "sparsetol.yaml"))

    assert "single_qa[256]: 5 % of the scores change (a guess: no baseline is stored)" in lines
    assert "single_qa[256]: time of an item: not known (no baseline says; give an earlier run with --report)" in lines
    assert any(line.startswith("safe single_qa[256] 10.0 32") and line.endswith("?") for line in lines)


def test_from_an_earlier_run(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "report.json", "-k", "safe")
    capsys.readouterr()
    path, report = str(project.path / "sparsetol.yaml"), project.path / "report.json"

    lines = said(capsys, path, "--report", str(report))
    assert "safe::single_qa[256]: as in the earlier run (32 items)" in lines
    assert any(line.startswith("safe::single_qa[256]: time of an item: as in the earlier run on cpu") for line in lines)
    assert any(line.startswith("single_qa[256]: differences vary half as much") for line in lines), "harsh did not run"

    # A cell whose items change as often up as down needs more items than one that changes nothing.
    few = _items(lines)
    changed = json.loads(report.read_text())
    evidence = changed["evidence"]["sparsetol.yaml::safe::single_qa[256]"]
    evidence["differences"] = [1.0, -1.0, 0.0, 0.0] * 8
    report.write_text(json.dumps(changed))
    assert _items(said(capsys, path, "--report", str(report))) > 2 * few

    # Documents of four items that fare alike count once.
    evidence["differences"] = [1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0] * 4
    alone = json.dumps(changed)
    evidence["clusters"] = [str(place // 4) for place in range(32)]
    together = json.dumps(changed)
    report.write_text(alone)
    apart = _items(said(capsys, path, "--report", str(report)))
    report.write_text(together)
    assert _items(said(capsys, path, "--report", str(report))) > 2 * apart


def _items(lines: list[str]) -> int:
    (line,) = [line for line in lines if line.startswith("With gate.items.max: ")]
    return int(line.split()[2])


def test_cells_that_cannot_pass_are_named_and_not_planned(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (project.path / "baselines").rglob("*.jsonl"):
        path.unlink()
    (project.path / "references.json").write_text("{}")
    project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-record", "-k", "safe and multi")
    capsys.readouterr()

    lines = said(capsys, str(project.path / "sparsetol.yaml"))

    assert any(
        line.startswith("safe::multi_qa[256] cannot pass with any number of items: UNTESTABLE: dense scores 0.0")
        for line in lines
    )
    assert "safe::mix[256] cannot pass with any number of items: multi_qa cannot be tested." in lines
    assert any(line.startswith("Now a safe release of 2 cells and 0 mixes") for line in lines)


def test_options_and_what_is_wrong(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(project.path / "sparsetol.yaml")
    assert _items(said(capsys, path, "--power", "0.5")) < _items(said(capsys, path))
    assert _items(said(capsys, path, "--profile", "thin")) < _items(said(capsys, path))
    broken = project.path / "broken.json"
    broken.write_text("{")
    for arguments, text in (
        (["--profile", "nowhere"], "no profile 'nowhere'"),
        (["--report", "gone.json"], "report gone.json cannot be read: No such file or directory"),
        (["--report", str(broken)], "is not JSON"),
    ):
        assert plan_of(path, *arguments) == 1
        assert text in capsys.readouterr().err
    for power in ("1", "nan", "often"):
        with pytest.raises(SystemExit):
            plan_of(path, "--power", power)
        assert f"'{power}' is not a share of runs of at least 0.5 and under 1" in capsys.readouterr().err
    edit(project, "max_degradation: 0.10", "max_degradation: 0.01")
    assert plan_of(path) == 1


def test_a_damaged_baseline_is_one_error(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = (project.path / "baselines").rglob("one-256-*.jsonl")
    path.write_bytes(path.read_bytes() + b"\xff\n")
    line = path.read_bytes().count(b"\n")

    assert plan_of(str(project.path / "sparsetol.yaml")) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"baseline {path}, line {line}, is damaged: byte 0xff is not UTF-8; restore it ")
    assert len(captured.err.splitlines()) == 1
