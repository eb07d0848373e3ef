"""A broken contract is one collection error with its place, and never a traceback."""

from __future__ import annotations

import shutil

import pytest

from tests.plugin.running import edit

BROKEN = {
    "unknown key": ("suite:", "suit:", "unknown key 'suit'; did you mean 'suite'?"),
    "mix sums to 1.1": ("multi_qa: 0.3}", "multi_qa: 0.4}", "sum to 1.1"),
    "sparsity 1.0": ("sparsity: 0.5", "sparsity: 1.0", "1.0 is not a sparsity of at least 0 and under 1"),
    "sparsity as text": ("sparsity: 0.5", 'sparsity: "90%"', "'90%' is not a sparsity"),
    "unknown method": ("method: quest", "method: qest", "did you mean 'quest'?"),
    "length beyond the model": ("[256]", "[8k]", "exceed the 4096 tokens that model holds"),
    "missing model": ("path: model", "path: ../gone/model", "model.path '../gone/model' is not there"),
    "duplicate key": ("lengths:", "suite: other\nlengths:", "duplicate key 'suite'"),
    "a tab": ("  max_degradation", "\tmax_degradation", "a tab is not allowed here"),
    "a list for a mapping": ("gate:\n  max_degradation: 0.10", "gate:\n  - max_degradation: 0.10", ""),
    "missing suite": ("suite: suite.yaml", "suite: gone.yaml", "suite 'gone.yaml' is not there"),
    "unknown group": ("mix: {single_qa: 0.7", "mix: {singel_qa: 0.7", "did you mean 'single_qa'?"),
    "unknown parameter": ("window: 32", "windows: 32", "did you mean 'window'?"),
    "too few items": ("max: 32", "max: 8", "even without a single loss; 29 can"),
    "out of reach": ("sparsity: 0.5", "sparsity: 0.9", "cannot reach sparsity 0.9 at 256 tokens"),
    "no length": ("lengths: [256]", "lengths: []", ""),
}


QUIET = ("-p", "no:warnings")
"""Pytest may warn of modules that this process has imported before."""


@pytest.mark.parametrize(("right", "wrong", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_one_error_and_no_traceback(project: pytest.Pytester, right: str, wrong: str, said: str) -> None:
    edit(project, right, wrong)

    one_error(project.runpytest_inprocess("sparsetol.yaml", *QUIET), said)


@pytest.mark.parametrize("content", [b"", b"- a\n", b"\xff\xfe", b"a: &a [*a]\n", b"contract: [1\n"])
def test_files_that_are_no_contract(project: pytest.Pytester, content: bytes) -> None:
    (project.path / "sparsetol.yaml").write_bytes(content)

    one_error(project.runpytest_inprocess("sparsetol.yaml", *QUIET), "sparsetol.yaml:")


@pytest.mark.parametrize("occupied", ["notes", "notes/deep", "notes/deep/agreement"])
@pytest.mark.parametrize("option", [(), ("--sparsetol-record",)])
def test_a_folder_of_baselines_that_is_none(project: pytest.Pytester, occupied: str, option: tuple[str, ...]) -> None:
    edit(project, "suite:", "baselines: notes/deep\nsuite:")
    (project.path / occupied).parent.mkdir(parents=True, exist_ok=True)
    (project.path / occupied).write_text("text")

    said = f"sparsetol.yaml:3:12: baselines: {occupied} is not a folder; move it, or name another folder"
    one_error(project.runpytest_inprocess("sparsetol.yaml", *option, *QUIET), said)


def test_a_folder_of_baselines_that_nobody_can_look_into(project: pytest.Pytester) -> None:
    # Of all that a file system refuses, names that are too long are refused to every user.
    name = 300 * "a"
    edit(project, "name: agreement", f"name: {name}", "suite.yaml")

    said = f"sparsetol.yaml:1:1: baselines: baselines/{name} cannot be looked into: File name too long; mend that"
    one_error(project.runpytest_inprocess("sparsetol.yaml", *QUIET), said)


def test_a_folder_of_baselines_that_is_a_link_to_itself(project: pytest.Pytester) -> None:
    shutil.rmtree(project.path / "baselines")
    (project.path / "baselines").symlink_to("baselines")

    said = "sparsetol.yaml:1:1: baselines: baselines is not a folder; move it, or name another folder"
    one_error(project.runpytest_inprocess("sparsetol.yaml", *QUIET), said)


def one_error(result: pytest.RunResult, said: str) -> None:
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    shown = result.stdout.str()
    assert said in shown
    assert shown.count("ERROR sparsetol.yaml") == 1
    assert "Traceback" not in shown
    assert ".py:" not in shown
    begin = result.outlines.index(next(line for line in result.outlines if "ERROR collecting" in line))
    assert result.outlines[begin + 1].startswith("sparsetol.yaml:")
