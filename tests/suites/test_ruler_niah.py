from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparsetol_suites.errors import LengthError, SuiteError
from sparsetol_suites.item import MISSING, Item
from sparsetol_suites.task import Draw
from sparsetol_suites.tasks.ruler_niah import RulerNiah

from tests.suites.drawn import COUNTER, INDEXES, SEEDS, SMALL, check_length, fact_texts, shipped_task
from tests.suites.solvers.ruler_niah import solve


def perfect(item: Item) -> str:
    return "\n".join(f"{number}. {answer}" for number, answer in enumerate(item.answers, start=1))


@pytest.mark.parametrize("name", ["niah_1", "niah_4"])
@settings(max_examples=60, deadline=None)
@given(length=st.sampled_from(SMALL), seed=SEEDS, index=INDEXES)
def test_the_text_holds_the_answer(name: str, length: int, seed: int, index: int) -> None:
    task = shipped_task("frontier-small", name)
    item = task.generate(length, COUNTER, seed, index)
    check_length(item, length)
    assert solve(item.prompt) == list(item.answers)
    assert fact_texts(item) == list(item.answers)
    assert task.score(item, perfect(item)).value == 1
    for nothing in ("", "  \n", "!!!!", "I cannot say."):
        assert task.score(item, nothing) == MISSING


@settings(max_examples=10, deadline=None)
@given(length=st.sampled_from([4096, 16384]), seed=SEEDS, index=INDEXES)
def test_codes_with_the_question_first(length: int, seed: int, index: int) -> None:
    task = shipped_task("frontier", "niah_4")
    item = task.generate(length, COUNTER, seed, index)
    check_length(item, length)
    assert solve(item.prompt) == list(item.answers)
    assert fact_texts(item) == list(item.answers)
    assert task.score(item, perfect(item)).value == 1


@pytest.mark.parametrize("queries", [1, 2, 16])
def test_any_number_of_queries_and_tags(queries: int) -> None:
    task = RulerNiah(queries=queries, style="words", tagged=True)
    draft = task.draft(1024, COUNTER, Draw(Random(1), 0, 0))
    item = Item("x", draft.message, draft.answers, draft.facts, "x")
    assert solve(item.prompt) == list(item.answers)
    assert task.score(item, perfect(item)) == MISSING
    assert task.score(item, f"Look: <answer>\n{perfect(item)}\n</answer>").value == 1


def test_parameters_out_of_range() -> None:
    with pytest.raises(SuiteError, match="queries: 0 is not between 1 and 64"):
        RulerNiah(queries=0)


def test_a_prompt_that_cannot_be_that_short() -> None:
    with pytest.raises(LengthError, match="the shortest prompt has"):
        RulerNiah(queries=16).draft(256, COUNTER, Draw(Random(1), 0, 0))
