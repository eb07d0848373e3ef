from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparsetol_suites.errors import SuiteError
from sparsetol_suites.item import MISSING, Item
from sparsetol_suites.task import Draw
from sparsetol_suites.tasks.ruler_needle import RulerNeedle

from tests.suites.drawn import COUNTER, SEEDS, SMALL, check_length, check_score, fact_texts
from tests.suites.solvers.ruler_needle import solve


@settings(max_examples=60, deadline=None)
@given(
    length=st.sampled_from(SMALL),
    seed=SEEDS,
    queries=st.integers(1, 4),
    others=st.integers(0, 4),
    tagged=st.booleans(),
    question_first=st.booleans(),
)
def test_the_text_holds_the_answer(
    length: int, seed: int, queries: int, others: int, tagged: bool, question_first: bool
) -> None:
    task = RulerNeedle(queries=queries, others=others, tagged=tagged, question_first=question_first)
    draft = task.draft(length, COUNTER, Draw(Random(seed), 0, seed % 100))
    item = Item("x", draft.message, draft.answers, draft.facts, "x")
    check_length(item, length)
    assert solve(item.prompt) == list(item.answers)
    assert [fact.removeprefix("The secret number of ").replace(" is ", ": ")[:-1] for fact in fact_texts(item)] == list(
        item.answers
    )
    assert task.score(item, task.perfect_reply(item)).value == 1
    for nothing in ("", "  \n", "!!!!", "I cannot say."):
        assert task.score(item, nothing) == MISSING


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("The secret number of Alder is 1234.", 1),
        ("1234", 1),
        ("**1,234**", 1),
        ("The number is 1234. Yes, 1234!", 1),
        ("1234 or 5678", 0),
        ("1234.5", 0),
        ("12345", 0),
        ("The secret number of Alder is 5678.", 0),
        ("The secret number of Alder is unknown.", None),
    ],
)
def test_replies_to_one_query(reply: str, value: float | None) -> None:
    check_score(RulerNeedle().score(Item("x", "", ("Alder: 1234",), (), "x"), reply), value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("The secret number of Alder is 1234.\nThe secret number of Birch is 5678.", 1),
        ("Birch: 5678, Alder: 1234", 1),
        ("1. Alder: 1234\n2. Birch: 5678", 1),
        ("The secret number of Alder is 1234.", 0.5),
        ("Alder 1234, Birch 1234", 0.5),
        ("Alder: 5678, Birch: 1234", 0),
        ("1234, 5678", 0),
        ("Alder and Birch", None),
    ],
)
def test_replies_to_two_queries(reply: str, value: float | None) -> None:
    item = Item("x", "", ("Alder: 1234", "Birch: 5678"), (), "x")
    check_score(RulerNeedle(queries=2).score(item, reply), value)


def test_parameters_out_of_range() -> None:
    with pytest.raises(SuiteError, match="queries and others: 1 and 0 at least"):
        RulerNeedle(queries=0)
