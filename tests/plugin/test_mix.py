"""A mix is a test of its own: its node id works with and without workers."""

from __future__ import annotations

import shlex

import pytest

from tests.plugin.running import edit, run

NODE = "sparsetol.yaml::safe::mix[256]"


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_mix_alone_is_untested_and_says_why(project: pytest.Pytester, workers: tuple[str, ...]) -> None:
    options = ("--sparsetol-json", "report.json", "--junitxml", "junit.xml", *workers)
    result = project.runpytest_subprocess(NODE, *options)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"FAILED {NODE.replace('[', '[[]')} - UNTESTED mix*"])
    junit = (project.path / "junit.xml").read_text()
    assert 'name="mix[256]"' in junit
    assert "100 % of traffic has no verdict" in junit


def test_a_mix_with_its_groups(project: pytest.Pytester) -> None:
    _, cells = run(project, "-k", "safe and 256")

    assert cells["safe::mix[256]"]["verdict"] == "PASS"


def test_a_mix_that_last_failed_says_how_to_run_it_with_its_groups(project: pytest.Pytester) -> None:
    right = "return Score(float(reply == wanted.get(key(item.prompt))))"
    wrong = "return Score(float(not item.id.startswith('one')))"
    edit(project, right, wrong, "agreement.py")
    project.runpytest_inprocess("sparsetol.yaml", "-k", "safe").assert_outcomes(passed=1, failed=2, deselected=3)
    edit(project, wrong, right, "agreement.py")

    result = project.runpytest_inprocess("sparsetol.yaml", "--lf")

    result.assert_outcomes(passed=1, failed=1, deselected=4)
    (again,) = [line for line in result.outlines if line.startswith("  again ")]
    name, command, *arguments = shlex.split(again)
    assert (name, command) == ("again", "pytest")
    project.runpytest_inprocess(*arguments).assert_outcomes(passed=3, deselected=0)
    result = project.runpytest_inprocess("sparsetol.yaml", "--lf", "--lfnf=none")
    assert "no previously failed tests" in result.stdout.str()
