"""An independent reader of the text alone answers every question about invented documents."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparsetol_suites.item import MISSING, Item
from sparsetol_suites.task import Draw
from sparsetol_suites.tasks.qa import QuestionAnswering
from sparsetol_suites.tasks.qa_choice import QuestionChoice

from tests.suites.drawn import COUNTER, INDEXES, SEEDS, check_length, fact_texts
from tests.suites.solvers.documents import documents, solve

Kind = QuestionAnswering | QuestionChoice

TASKS: dict[str, Kind] = {
    "phrase-short": QuestionAnswering(),
    "one-short": QuestionChoice(),
    "several-short": QuestionChoice(right="several"),
    "phrase-long": QuestionAnswering(style="long", reason=True, question_first=True, tagged=True),
    "one-long": QuestionChoice(style="long", question_first=True, tagged=True),
    "several-long": QuestionChoice(style="long", right="several", question_first=True),
}
LENGTHS = {"short": (512, 777, 1024, 2048, 4096), "long": (2048, 4096, 16384)}


def make(task: Kind, length: int, seed: int, index: int) -> Item:
    draft = task.draft(length, COUNTER, Draw(Random(f"{seed}/{index}/{length}"), seed, index))
    return Item("x", draft.message, draft.answers, draft.facts, draft.cluster)


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_text_holds_the_answer(name: str, data: st.DataObject) -> None:
    task = TASKS[name]
    length = data.draw(st.sampled_from(LENGTHS[task.style]))
    item = make(task, length, data.draw(SEEDS), data.draw(INDEXES))
    check_length(item, length)
    found = solve(item.prompt)
    assert found == ("".join(item.answers) if isinstance(task, QuestionChoice) else item.answers[0])
    assert task.score(item, task.perfect_reply(item)).value == 1
    assert task.score(item, "") == MISSING
    facts = fact_texts(item)
    if isinstance(task, QuestionAnswering):
        assert facts == list(item.answers)
    elif task.right == "one":
        assert f"{item.answers[0]}. {facts[0]}\n" in item.prompt
    else:
        assert len(facts) == 4
    titles = [title for title, _ in documents(item.prompt).values()]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("style", ["short", "long"])
def test_wrong_choices_stand_in_other_documents(style: str) -> None:
    task = QuestionChoice(style="short" if style == "short" else "long")
    item = make(task, 4096, 1, 1)
    context, asked = item.prompt.rsplit("\n\n", 1)
    options = [line[3:] for line in asked.splitlines() if line[1:3] == ". "]
    assert len(set(options)) == 4
    assert all(option in context for option in options)


def test_sets_of_letters_are_equally_likely() -> None:
    task = QuestionChoice(right="several")
    sets = [make(task, 700, 0, index).answers for index in range(700)]
    counts = [sets.count(each) for each in sorted(set(sets))]
    assert len(counts) == 14
    assert task.chance == 1 / 14
    # 50 expected; chi-square with 13 degrees of freedom is under 34.5 in 999 runs of 1,000.
    assert sum((count - 50) ** 2 / 50 for count in counts) < 34.5


def test_answers_are_spread_over_the_depth() -> None:
    item_depths = []
    for index in range(40):
        item = make(TASKS["phrase-short"], 1024, 7, index)
        item_depths.append(item.facts[0].start / len(item.prompt))
    for quarter in range(4):
        assert 5 <= sum(quarter / 4 <= depth < (quarter + 1) / 4 for depth in item_depths) <= 15


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("The gift of Ada Alder is a red fox.", 1.0),
        ("a red fox", 1.0),
        ("The gift is a red fox. It is a good gift.", 1.0),
        ("Answer: **a red fox**", 1.0),
        ("The gift of Ada Alder is a blue owl.", 0.0),
        ("The gift of Ada Alder is", 0.0),
    ],
)
def test_only_the_value_of_a_sentence_counts(reply: str, value: float) -> None:
    item = Item("x", "", ("a red fox",), (), "x")
    assert QuestionAnswering().score(item, reply).value == value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('"The pet of Ada is a fox."\nAnswer: C', 1.0),
        ("Answer: C", 1.0),
        ("Answer: **C. a red fox**", 1.0),
        ("C", 1.0),
        ("The answer is C.", 1.0),
        ("Answer: A, C", 0.0),
        ("Answer: B", 0.0),
    ],
)
def test_letters(reply: str, value: float) -> None:
    item = Item("x", "", ("C",), (), "x")
    assert QuestionChoice().score(item, reply).value == value
    assert QuestionChoice(tagged=True).score(item, reply) == MISSING


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_five_hundred_items(name: str) -> None:
    task = TASKS[name]
    for index in range(500):
        item = make(task, LENGTHS[task.style][index % 2], 99, index)
        found = solve(item.prompt)
        assert found == ("".join(item.answers) if isinstance(task, QuestionChoice) else item.answers[0])
