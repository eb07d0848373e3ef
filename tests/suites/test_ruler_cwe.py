from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparsetol_suites.errors import LengthError, SuiteError
from sparsetol_suites.item import MISSING, Item
from sparsetol_suites.task import Draw
from sparsetol_suites.tasks.ruler_cwe import RulerCwe

from tests.suites.drawn import (
    COUNTER,
    INDEXES,
    SEEDS,
    SMALL,
    check_length,
    check_score,
    fact_texts,
    score_of_perfect_reply,
    shipped_task,
)
from tests.suites.solvers.ruler_cwe import solve


def check(item: Item, length: int, task: RulerCwe) -> None:
    check_length(item, length)
    assert solve(item.prompt) == set(item.answers)
    listed = max(item.prompt.split("\n\n"), key=len)
    counts = Counter(re.findall(r"[a-z]+", listed))
    times = counts[item.answers[0]] // task.often
    assert {counts[word] for word in item.answers} == {task.often * times}
    assert {counts[word] for word in counts.keys() - set(item.answers)} == {task.rare * times}
    assert len(item.answers) * task.often * times <= counts.total() / 4
    assert fact_texts(item) == [word for word in item.answers for _ in range(task.often * times)]
    starts = [fact.start for fact in item.facts]
    assert len(set(starts)) == len(starts)


@settings(max_examples=60, deadline=None)
@given(length=st.sampled_from(SMALL), seed=SEEDS, index=INDEXES)
def test_the_text_holds_the_answer(length: int, seed: int, index: int) -> None:
    task = shipped_task("frontier-small", "cwe")
    item = task.generate(length, COUNTER, seed, index)
    assert isinstance(task.task, RulerCwe)
    check(item, length, task.task)
    assert score_of_perfect_reply(task, item) == 1
    for nothing in ("", "  \n", "!!!!", "1. 2. 3."):
        assert task.score(item, nothing) == MISSING


@settings(max_examples=6, deadline=None)
@given(length=st.sampled_from([16384, 32768]), seed=SEEDS, index=INDEXES)
def test_compounds_with_the_question_first(length: int, seed: int, index: int) -> None:
    task = shipped_task("frontier", "cwe")
    item = task.generate(length, COUNTER, seed, index)
    assert isinstance(task.task, RulerCwe)
    check(item, length, task.task)
    assert score_of_perfect_reply(task, item) == 1


def test_copying_from_anywhere_scores_chance_at_most() -> None:
    task = shipped_task("frontier-small", "cwe")
    scores = []
    for index in range(400):
        item = task.generate(512, COUNTER, 1, index)
        listed = re.findall(r"[a-z]+", max(item.prompt.split("\n\n"), key=len))
        scores.append(task.score(item, ", ".join(Random(index).sample(listed, 4))).value)
    assert 0.5 * task.chance < sum(scores) / len(scores) < 1.1 * task.chance


def test_a_list_in_which_the_common_words_would_be_too_many() -> None:
    with pytest.raises(LengthError, match="the shortest prompt has"):
        RulerCwe(common=4, often=30, style="words").draft(512, COUNTER, Draw(Random(1), 0, 0))
    with pytest.raises(LengthError, match="rare words are needed beside the common ones, and there are"):
        RulerCwe(common=20, often=30, rare=1, style="words").draft(8192, COUNTER, Draw(Random(1), 0, 0))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"common": 0}, "common: 0 is not between 1 and 100"),
        ({"often": 3}, "often: 3, rare: 3; 1 <= rare < often"),
    ],
)
def test_parameters_out_of_range(parameters: dict[str, int], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        RulerCwe(**parameters)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("apple, quick", 1),
        ("Quick and apple.", 1),
        ("1. apple\n2. quick", 1),
        ("1. apple (12 times)\n2. quick (12 times)", 1),
        ("The 2 words that stand most often in the list are **apple** and **quick**.", 1),
        ('The words are "apple," and "quick."', 1),
        ("apple: 12, quick: 12", 1),
        ("apple, apple, apple, quick, quick", 1),
        ("apple, quick, river, stone", 2 / 4),
        ("apple, banana", 1 / 3),
        ("apple, qui", 1 / 3),
        ("apples, quick", 1 / 3),
        ("river, stone", 0),
        ("12, 12", None),
        ("!!!", None),
        ("", None),
    ],
)
def test_replies(reply: str, value: float | None) -> None:
    check_score(RulerCwe(style="words").score(Item("x", "", ("apple", "quick"), (), "x"), reply), value)
