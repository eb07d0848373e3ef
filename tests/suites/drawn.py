"""Items as hypothesis draws them, and what all of them must fulfil."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol, runtime_checkable

import pytest
from hypothesis import strategies as st
from sparsetol_suites.item import Item, Score
from sparsetol_suites.suite import SuiteTask, load_suite

from tests.suites.counter import WordCounter

COUNTER = WordCounter()
SMALL = (512, 777, 1024, 2048, 4096)
SEEDS = st.integers(min_value=0, max_value=2**31)
INDEXES = st.integers(min_value=0, max_value=10_000)


def shipped_task(suite: str, name: str) -> SuiteTask:
    return next(task for task in load_suite(suite, Path()).tasks if task.name == name)


def check_length(item: Item, length: int) -> None:
    tokens = COUNTER.prompt(item.prompt)
    assert math.ceil(0.95 * length) <= tokens <= length


def fact_texts(item: Item) -> list[str]:
    return [item.prompt[fact.start : fact.end] for fact in item.facts]


@runtime_checkable
class Answering(Protocol):
    """A task that knows its right replies."""

    def perfect_reply(self, item: Item) -> str: ...


def score_of_perfect_reply(task: SuiteTask, item: Item) -> float:
    assert isinstance(task.task, Answering)
    return task.score(item, task.task.perfect_reply(item)).value


def check_score(score: Score, value: float | None) -> None:
    """None is an answer that is missing."""
    assert score.missing == (value is None)
    assert score.value == pytest.approx(value or 0, abs=1e-4)
