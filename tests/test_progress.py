"""What a log shows of a long cell, and whether the seconds that it promises come true."""

from __future__ import annotations

import re
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_sparsetol.report import progress
from pytest_sparsetol.report.progress import ProgressLine


class Log:
    """A terminal that is none, and a clock; stands for pytest's configuration and its plugins."""

    isatty = False

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        self.pluginmanager = SimpleNamespace(get_plugin=lambda name: self)

    def get_verbosity(self) -> int:
        return 0

    def global_and_fixture_disabled(self) -> nullcontext[None]:
        return nullcontext()

    def ensure_newline(self) -> None:
        pass

    def write_line(self, line: str) -> None:
        self.lines.append(line)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    made = Log()
    monkeypatch.setattr(progress, "time", made)
    return made


def seconds_left(log: Log) -> list[int]:
    return [int(found[1]) for line in log.lines if (found := re.search(r"about (\d+) s left", line))]


def run(log: Log, line: Any, stage: str, items: int, seconds: float) -> None:
    for done in range(items + 1):
        line(stage, done, items, None)
        log.now += seconds if done < items else 0


def test_the_first_estimate_counts_the_first_items(log: Log) -> None:
    line: Any = ProgressLine(log, "sparsetol.yaml::quest::single_qa[1k]")  # type: ignore[arg-type]  # a stand-in
    line("loading the model", 0, 0, None)
    log.now += 500

    run(log, line, "sparse", 5, 40)

    assert log.lines[0] == "  quest::single_qa[1k]: sparse 0/5", "nothing is promised before an item is through"
    assert seconds_left(log) == [160, 120, 80, 40], "the model's loading does not count"


def test_a_stage_that_begins_anew_is_estimated_anew(log: Log) -> None:
    line: Any = ProgressLine(log, "sparsetol.yaml::quest::single_qa[1k]")  # type: ignore[arg-type]  # a stand-in

    run(log, line, "recording the noise floor", 3, 100)
    run(log, line, "recording the noise floor", 3, 40)

    assert seconds_left(log) == [200, 100, 80, 40]


def test_what_is_quick_is_not_shown(log: Log) -> None:
    line: Any = ProgressLine(log, "sparsetol.yaml::quest::single_qa[1k]")  # type: ignore[arg-type]  # a stand-in

    run(log, line, "sparse", 29, 1)

    assert log.lines == []
