"""A method that a conftest.py registers: collected, linted, run in one process and in workers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_sparsetol.cli import main
from tests.plugin.running import edit
from tests.plugin.test_imports import loaded

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-method"

METHOD = '''

from dataclasses import dataclass
from typing import ClassVar

from pytest_sparsetol.methods import KvMethod, register_method


@register_method
@dataclass(frozen=True)
class Latest(KvMethod):
    """The latest tokens of a prompt."""

    name: ClassVar[str] = "latest"

    def reach(self, length):
        return 1 - 1 / length

    def select(self, query, key, scale):
        import torch

        kept = torch.zeros(key.shape[:2], dtype=torch.bool)
        kept[:, -self.least_kept(key.shape[1]) :] = True
        return kept
'''


@pytest.fixture
def own(project: pytest.Pytester) -> pytest.Pytester:
    """The project, with a deployment whose method stands in its conftest.py."""
    with Path(project.path, "conftest.py").open("a") as file:
        file.write(METHOD)
    edit(project, "decode: {method: quest, sparsity: 0.0}", "kv: {method: latest, sparsity: 0.5}")
    return project


def verdicts(path: Path) -> dict[str, str]:
    report = json.loads(path.read_text())
    return {entry["node_id"].partition("safe::")[2]: entry["verdict"] for entry in (*report["cells"], *report["mix"])}


def test_it_is_collected_without_torch(own: pytest.Pytester) -> None:
    modules, printed = loaded(own.path, "--co", "-q", "sparsetol.yaml")

    assert "safe::single_qa[256]" in printed
    assert "torch" not in modules


def test_lint_knows_it_and_suggests_it(own: pytest.Pytester) -> None:
    command = [sys.executable, "-m", "pytest_sparsetol.cli", "lint", "sparsetol.yaml"]
    assert subprocess.run(command, cwd=own.path, check=True, capture_output=True, text=True).stderr == ""
    edit(own, "method: latest", "method: lattest")

    wrong = subprocess.run(command, cwd=own.path, check=False, capture_output=True, text=True)

    assert wrong.returncode == 1
    assert "no kv method 'lattest'; did you mean 'latest'?" in wrong.stderr


def test_plan_knows_it_and_the_teams_own_task(own: pytest.Pytester) -> None:
    command = [sys.executable, "-m", "pytest_sparsetol.cli", "plan", "sparsetol.yaml"]

    planned = subprocess.run(command, cwd=own.path, check=False, capture_output=True, text=True)

    assert planned.returncode == 0, planned.stderr
    assert any(line.split()[:2] == ["safe", "single_qa[256]"] for line in planned.stdout.splitlines())


def test_lint_says_when_a_conftest_is_broken(own: pytest.Pytester) -> None:
    with Path(own.path, "conftest.py").open("a") as file:
        file.write("raise RuntimeError('not today')\n")
    command = [sys.executable, "-m", "pytest_sparsetol.cli", "lint", "sparsetol.yaml"]

    wrong = subprocess.run(command, cwd=own.path, check=False, capture_output=True, text=True)

    assert wrong.returncode == 1
    assert "not today" in wrong.stderr
    assert "sparsetol.yaml: pytest cannot load the conftest.py files of this contract" in wrong.stderr


def test_workers_run_it_as_one_process_does(own: pytest.Pytester) -> None:
    arguments = ["sparsetol.yaml", "-k", "safe", "--sparsetol-json"]
    own.runpytest_subprocess(*arguments, "one.json")

    own.runpytest_subprocess(*arguments, "two.json", "-n", "2")

    found = verdicts(own.path / "one.json")
    assert found == verdicts(own.path / "two.json")
    assert set(found.values()) <= {"PASS", "FAIL", "INCONCLUSIVE"}
    (cell, *_) = json.loads((own.path / "two.json").read_text())["cells"]
    assert cell["measured_sparsity"]["kv"] == pytest.approx(0.5, abs=0.01)
    assert "latest pytorch" in cell["backend"]


def test_a_sweep_climbs_it(own: pytest.Pytester) -> None:
    edit(own, "max_degradation: 0.10", "max_degradation: 0.30")
    with Path(own.path, "sparsetol.yaml").open("a") as file:
        file.write("sweep: {levels: [0.5]}\n")

    result = own.runpytest_subprocess("sparsetol.yaml", "--sparsetol-sweep", "-k", "latest")

    assert result.parseoutcomes()["passed"] == 1
    result.stdout.fnmatch_lines(["*1 of 2 ladders were climbed (not vertical_slash::sweep*"])


@pytest.fixture
def below(own: pytest.Pytester) -> pytest.Pytester:
    """The project in a folder below the arguments': pytest loads its conftest.py as it collects, in workers alone."""
    inner = own.path / "inner"
    inner.mkdir()
    for entry in list(own.path.iterdir()):
        if entry != inner:
            shutil.move(entry, inner / entry.name)
    edit(own, "method: latest, sparsity: 0.5", "method: latest, sparsity: 0.0", "inner/sparsetol.yaml")
    return own


def test_a_conftest_that_only_workers_load_is_red_and_said(
    below: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--sparsetol-shard", "1/1", "--sparsetol-json", "shard.json")
    for more in ((), ("--sparsetol-json", "report.json"), options):
        result = below.runpytest_subprocess("--sparsetol", "-k", "safe", "-n", "1", *more)

        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["its mixes were not weighed, so it is red: */inner/*: unknown task 'agreement'*"])
        assert "Traceback" not in result.stderr.str()

    report = json.loads((below.path / "report.json").read_text())
    (error,) = report["errors"]
    assert error.startswith("its mixes were not weighed, so it is red: ")
    assert "unknown task 'agreement'" in error
    assert [(cell["group"], cell["verdict"]) for cell in report["cells"]] == [
        ("multi_qa", "PASS"),
        ("single_qa", "PASS"),
    ]
    assert report["mix"] == []
    capsys.readouterr()
    assert main(["merge", "shard.json"]) == 1
    assert "shard.json lacks the terms that decide the mixes of inner/sparsetol.yaml: " in capsys.readouterr().err


def test_a_sweep_with_a_conftest_that_only_workers_load_is_red_and_said(below: pytest.Pytester) -> None:
    edit(below, "max_degradation: 0.10", "max_degradation: 0.30", "inner/sparsetol.yaml")
    with Path(below.path, "inner", "sparsetol.yaml").open("a") as file:
        file.write("sweep: {levels: [0.5]}\n")

    result = below.runpytest_subprocess("--sparsetol", "--sparsetol-sweep", "-n", "1")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["inner/sparsetol.yaml: no certificate: */inner/*: unknown task 'agreement'*"])
    assert "Traceback" not in result.stderr.str()


def test_the_example_passes_the_shared_tests() -> None:
    lines = (EXAMPLE / "conftest.py").read_text().splitlines()
    assert len(lines) < 40

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_short_keys.py"],
        cwd=EXAMPLE,
        check=False,
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stdout
    assert "passed" in run.stdout
