from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparsetol_suites.errors import SuiteError
from sparsetol_suites.item import MISSING, Item
from sparsetol_suites.task import Draw
from sparsetol_suites.tasks.ruler_vt import RulerVt

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
from tests.suites.solvers.ruler_vt import solve


def check(item: Item, length: int) -> None:
    check_length(item, length)
    assert solve(item.prompt) == list(item.answers)
    for statement, answer in zip(fact_texts(item), item.answers, strict=True):
        assert statement.startswith(f"Let {answer} = ")


@settings(max_examples=60, deadline=None)
@given(length=st.sampled_from(SMALL), seed=SEEDS, index=INDEXES)
def test_the_text_holds_the_answer(length: int, seed: int, index: int) -> None:
    task = shipped_task("frontier-small", "vt")
    item = task.generate(length, COUNTER, seed, index)
    check(item, length)
    assert score_of_perfect_reply(task, item) == 1
    for nothing in ("", "  \n", "!!!!", "42", "I cannot say."):
        assert task.score(item, nothing) == MISSING


@settings(max_examples=10, deadline=None)
@given(length=st.sampled_from([4096, 16384]), seed=SEEDS, index=INDEXES)
def test_capitals_with_the_question_first(length: int, seed: int, index: int) -> None:
    task = shipped_task("frontier", "vt")
    item = task.generate(length, COUNTER, seed, index)
    check(item, length)
    assert score_of_perfect_reply(task, item) == 1


def test_naming_every_variable_scores_chance() -> None:
    task = shipped_task("frontier-small", "vt")
    item = task.generate(1024, COUNTER, 0, 0)
    everything = [part.split(" = ")[0] for part in item.prompt.split("Let ")[1:]]
    assert task.score(item, ", ".join(everything)).value == task.chance == 0.25


def test_tags() -> None:
    task = RulerVt(style="words", tagged=True)
    draft = task.draft(1024, COUNTER, Draw(Random(1), 0, 0))
    item = Item("x", draft.message, draft.answers, draft.facts, "x")
    assert task.score(item, ", ".join(item.answers)) == MISSING
    assert task.score(item, task.perfect_reply(item)).value == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"chains": 1}, "chains: 1 is not between 2 and 64"),
        ({"hops": 0}, "hops: 0 is not between 1 and 32"),
        ({"chains": 64, "hops": 4, "style": "words"}, "chains x .hops . 1. is 320, more than 240"),
    ],
)
def test_parameters_out_of_range(parameters: dict[str, int], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        RulerVt(**parameters)  # type: ignore[arg-type]  # wrong on purpose


WORDS = ("apple", "river", "stone", "lamp")


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("apple, river, stone, lamp", 1),
        ("lamp stone river apple", 1),
        ("Apple, River, Stone, and Lamp.", 1),
        ("apple\nriver\nstone\nlamp", 1),
        ("1. apple\n2. **river**,\n3. `stone`\n4. lamp.", 1),
        ("- apple\n- river\n- stone\n- lamp\n", 1),
        ("The variables that hold 42 are apple, river, stone and lamp.", 1),
        ("Answer: apple, river, stone, lamp", 1),
        ("apple = 42, river = apple, stone = river, lamp = stone", 1),
        ("[apple, river, stone, lamp]", 1),
        ("apple, river, stone, lamp, boat", 4 / 5),
        ("apple, river, stone, lamp, banana", 4 / 5),
        ("apple, river, stone", 3 / 4),
        ("apple, apple, apple, apple", 1 / 4),
        ("apple", 1 / 4),
        ("boat, hat", 0),
        ("applelamp", 0),
        ("42", None),
        ("42, 42, 42", None),
        ("It is not possible to say which of these hold it.", None),
        ("", None),
    ],
)
def test_replies_with_words(reply: str, value: float | None) -> None:
    check_score(RulerVt(style="words").score(Item("x", "", WORDS, (), "x"), reply), value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("ABCDE, FGHIJ", 1),
        ("ABCDE,FGHIJ", 1),
        ("1. FGHIJ\n2. ABCDE", 1),
        ("The variables that hold the value are **ABCDE** and **FGHIJ**.", 1),
        ("ABCDE = 12345 and FGHIJ = ABCDE", 1),
        ("abcde, fghij", 1),
        ("ABCDE, FGHIJ, KLMNO", 2 / 3),
        ("ABCDE, FGHI", 1 / 3),
        ("ABCDEF", 0),
        ("12345", None),
        ("These hold it:", None),
    ],
)
def test_replies_with_capitals(reply: str, value: float | None) -> None:
    check_score(RulerVt().score(Item("x", "", ("ABCDE", "FGHIJ"), (), "x"), reply), value)


@pytest.mark.parametrize(
    "echo",
    [
        "The day is long. Let suit = train. It rains a little. Let spring = suit. Time passes",
        "Let suit = train.\nLet spring = suit.",
        "It rains a little. People come and go. Time passes slowly.",
    ],
)
def test_repeating_the_context_is_no_answer(echo: str) -> None:
    assert RulerVt(style="words").score(Item("x", "", ("train", "suit", "spring"), (), "x"), echo) == MISSING
