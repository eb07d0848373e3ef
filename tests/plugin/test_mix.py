"""A mix is a test of its own: its node id works with and without workers."""

from __future__ import annotations

import pytest

from tests.plugin.running import run

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
