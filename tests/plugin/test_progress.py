"""A log shows each stage of a cell from its beginning, so that the first estimate counts the first items."""

from __future__ import annotations

import pytest

from pytest_sparsetol.report import progress
from tests.plugin.running import run


def test_every_stage_begins_at_nothing(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)

    result, _ = run(project, "--sparsetol-record=all", "-k", "safe and single")

    shown = [line.split(": ", 1)[1] for line in result.outlines if line.startswith("  safe::single_qa[256]: ")]
    begun = {"recording dense": "0/32", "recording the noise floor": "0/16", "sparse": "0/32"}
    for stage, nothing in begun.items():
        first = next(line for line in shown if line.startswith(stage))
        assert first == f"{stage} {nothing}"
