from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparsetol_suites.errors import LengthError, SuiteError
from sparsetol_suites.item import MISSING, Item
from sparsetol_suites.task import Draw
from sparsetol_suites.tasks.ruler_niah import RulerNiah

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
from tests.suites.solvers.ruler_niah import solve


@pytest.mark.parametrize("name", ["niah_1", "niah_4"])
@settings(max_examples=60, deadline=None)
@given(length=st.sampled_from(SMALL), seed=SEEDS, index=INDEXES)
def test_the_text_holds_the_answer(name: str, length: int, seed: int, index: int) -> None:
    task = shipped_task("frontier-small", name)
    item = task.generate(length, COUNTER, seed, index)
    check_length(item, length)
    assert solve(item.prompt) == list(item.answers)
    assert fact_texts(item) == list(item.answers)
    assert score_of_perfect_reply(task, item) == 1
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
    assert score_of_perfect_reply(task, item) == 1


@pytest.mark.parametrize("queries", [1, 2, 16])
def test_any_number_of_queries_and_tags(queries: int) -> None:
    task = RulerNiah(queries=queries, style="words", tagged=True)
    draft = task.draft(1024, COUNTER, Draw(Random(1), 0, 0))
    item = Item("x", draft.message, draft.answers, draft.facts, "x")
    assert solve(item.prompt) == list(item.answers)
    reply = task.perfect_reply(item)
    assert task.score(item, f"Look: {reply}").value == 1
    assert task.score(item, reply.replace("answer>", "b>")) == MISSING


def test_parameters_out_of_range() -> None:
    with pytest.raises(SuiteError, match="queries: 0 is not between 1 and 64"):
        RulerNiah(queries=0)


def test_a_prompt_that_cannot_be_that_short() -> None:
    with pytest.raises(LengthError, match="the shortest prompt has"):
        RulerNiah(queries=16).draft(256, COUNTER, Draw(Random(1), 0, 0))


def item(*answers: str) -> Item:
    return Item("x", "", answers, (), "x")


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("engine", 1),
        ("Engine.", 1),
        ("**engine**", 1),
        ('"engine"', 1),
        ("polite violin: engine", 1),
        ("1. polite violin: engine", 1),
        ("- **Polite violin**: engine,", 1),
        ("polite violin - engine", 1),
        ("polite violin | engine", 1),
        ("The value of polite violin is engine.", 1),
        ("The word for the key polite violin in the list is engine.", 1),
        ("Answer: engine", 1),
        ("<answer>engine</answer>", 1),
        ("polite violin: engine\npolite violin: engine", 1),
        ("polite violin: engine\nrapid grape: needle", 0),
        ("engine, needle", 0),
        ("engine or needle", 0),
        ("engine (not needle)", 0),
        ("needle", 0),
        ("banana", 0),
        ("polite violin: violin", 0),
        ("engines", 0),
        ("polite violin", None),
        ("The value of polite violin is 10.", None),
        ("I do not know.", None),
        ("1.", None),
    ],
)
def test_replies_to_one_query(reply: str, value: float | None) -> None:
    check_score(RulerNiah(queries=1, style="words").score(item("polite violin: engine"), reply), value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("1. red key: boat\n2. old box: lamp", 1),
        ("1) Red key: boat.\n2) Old box: lamp.", 1),
        ("**1.** **red key**: boat\n\n**2.** **old box**: lamp", 1),
        ("Here are the words:\n1. red key: boat\n2. old box: lamp\nI hope this helps!", 1),
        ("1. red key: boat 2. old box: lamp", 1),
        ("1. The value of red key is boat.\n2. The value of old box is lamp.", 1),
        ("red key: boat\nold box: lamp", 1),
        ("old box: lamp\nred key: boat", 1),
        ("- red key: boat\n- old box: lamp", 1),
        ("red key: boat, old box: lamp", 1),
        ("red key = boat; old box = lamp", 1),
        ("2. old box: lamp\n1. red key: boat", 1),
        ("1. red key: boat", 0.5),
        ("1. red key: boat\n2. old box: boat", 0.5),
        ("1. red key: boat, lamp\n2. old box: lamp", 0.5),
        ("1. boat\n2. old box: lamp", 0.5),
        ("1. red key: boat\n1. old box: lamp", 0.5),
        ("1. boat\n2. lamp", 0),
        ("1. old box: lamp\n2. red key: boat", 0),
        ("1. red key: lamp\n2. old box: boat", 0),
        ("boat, lamp", 0),
        ("1. red key: old box\n2. old box: red key", None),
        ("1. red key\n2. old box", None),
        ("", None),
    ],
)
def test_replies_to_two_queries(reply: str, value: float | None) -> None:
    check_score(RulerNiah(queries=2, style="words").score(item("red key: boat", "old box: lamp"), reply), value)


KEY, VALUE = "a1b2c3d4-e5f6g7h8-i9j0k1l2-m3n4o5p6", "q1r2s3t4-u5v6w7x8-y9z0a1b2-c3d4e5f6"


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (VALUE, 1),
        (f"`{VALUE}`", 1),
        (f"{KEY}: {VALUE}", 1),
        (f"1. {KEY}: **{VALUE}**.", 1),
        (f"The value of {KEY} is {VALUE.upper()}.", 1),
        (VALUE[:-1], 0),
        (VALUE + "7", 0),
        (f"{VALUE} {VALUE[::-1]}", 0),
        (VALUE.replace("-", " "), None),
        (KEY, None),
        ("1234", None),
        ("There is no such key.", None),
    ],
)
def test_replies_with_codes(reply: str, value: float | None) -> None:
    check_score(RulerNiah(queries=1).score(item(f"{KEY}: {VALUE}"), reply), value)
