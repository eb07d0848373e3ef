"""`--sparsetol-profile`: another set of limits for the same contract."""

from __future__ import annotations

import pytest

from tests.plugin.running import run


def test_the_profiles_limits_hold(project: pytest.Pytester) -> None:
    _, cells = run(project, "-k", "safe", "--sparsetol-profile", "wide")

    assert cells["safe::single_qa[256]"]["threshold"] == 0.99


def test_a_profile_can_warn_where_evidence_is_thin(project: pytest.Pytester) -> None:
    result, cells = run(project, "-k", "safe", "--sparsetol-profile", "thin")

    assert cells["safe::single_qa[256]"]["items"] == 25
    assert result.ret == pytest.ExitCode.OK


def test_an_unknown_profile_is_an_error(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-profile", "wid")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["sparsetol.yaml:*: no profile 'wid'; did you mean 'wide'? (known: thin, wide)"])
