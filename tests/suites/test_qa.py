"""Questions about records: what goes into the prompt, which records are asked about, what replies are worth."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sparsetol_suites.errors import LengthError, SuiteError
from sparsetol_suites.item import MISSING, Item
from sparsetol_suites.task import Draw, Task
from sparsetol_suites.tasks.multi_hop import MultiHop
from sparsetol_suites.tasks.qa import QuestionAnswering
from sparsetol_suites.tasks.qa_choice import QuestionChoice

from tests.suites.drawn import COUNTER, check_length, fact_texts
from tests.suites.sample_records import chain, context, question, write
from tests.suites.solvers.documents import documents

OWN_QUESTIONS = Path(__file__).parents[2] / "examples" / "smollm2" / "questions.jsonl"


def make(task: Task, length: int = 1024, index: int = 0, seed: int = 0) -> Item:
    draft = task.draft(length, COUNTER, Draw(Random(f"{seed}/{index}/{length}"), seed, index))
    return Item("x", draft.message, draft.answers, draft.facts, draft.cluster)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return write(tmp_path / "records.jsonl", [question(number) for number in range(40)])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.sampled_from([512, 777, 1024, 2048]), seed=st.integers(0, 9), index=st.integers(0, 39))
def test_the_named_document_holds_the_answer(records: Path, length: int, seed: int, index: int) -> None:
    item = make(QuestionAnswering(data=records), length, index, seed)
    check_length(item, length)
    asked = item.prompt.rsplit("\n\n", 1)[-1]
    match = re.match(r"Question about document (\d+): What is secret (\d+)\?", asked)
    assert match is not None
    shelf = documents(item.prompt)
    assert list(shelf) == list(range(1, len(shelf) + 1))
    title, text = shelf[int(match[1])]
    assert (title, text) == (f"Text {match[2]}", context(int(match[2])))
    assert fact_texts(item) == list(item.answers) == [f"lamp {match[2]}"]
    assert f"Secret {match[2]} is lamp {match[2]}." in text
    titles = [title for title, _ in shelf.values()]
    assert len(set(titles)) == len(titles)
    whole = [number for number, (title, text) in shelf.items() if text == context(int(title.split()[1]))]
    # At most one is cut, and only the named document may come after it.
    cut = set(shelf) - set(whole)
    assert not cut or (len(cut) == 1 and max(cut) >= len(shelf) - 1)


def test_a_run_uses_each_record_once_and_the_same_ones_at_every_length(records: Path) -> None:
    task = QuestionAnswering(data=records)
    assert task.available() == 40
    short = [make(task, 512, index).answers for index in range(40)]
    assert len(set(short)) == 40
    assert short == [make(task, 2048, index).answers for index in range(40)]
    assert short != [make(task, 512, index, seed=1).answers for index in range(40)]
    with pytest.raises(SuiteError, match="item 40 is asked for; there are 40 records"):
        make(task, 512, 40)


def test_questions_about_one_document_are_one_cluster(tmp_path: Path) -> None:
    shared = [question(number, context=context(number // 2)) for number in range(20)]
    task = QuestionAnswering(data=write(tmp_path / "r.jsonl", shared))
    items = [make(task, 512, index) for index in range(20)]
    assert len({item.cluster for item in items}) == 10
    assert len({item.cluster for item in items[:10]}) == 10
    for item in items:
        texts = [text for _, text in documents(item.prompt).values()]
        assert len(set(texts)) == len(texts)


def test_documents_that_do_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [question(1, context=context(1, 900)), *map(question, range(2, 30))])
    task = QuestionAnswering(data=path)
    assert task.available() == 29
    index = next(index for index in range(29) if "lamp 1" in make(task, 1300, index).answers)
    with pytest.raises(
        LengthError, match=r"record 'r1': the prompt has 9\d\d tokens without any filler, more than 512;"
    ):
        make(task, 512, index)
    fitting = QuestionAnswering(data=path, document_words=200)
    assert fitting.available() == 28
    for index in range(28):
        item = make(fitting, 512, index)
        check_length(item, 512)
        assert item.answers != ("lamp 1",)
    with pytest.raises(SuiteError, match="document_words: no document has at most 5 words"):
        QuestionAnswering(data=path, document_words=5)


def test_too_few_records(records: Path) -> None:
    with pytest.raises(LengthError, match=r"all there is makes .* add records, or name a longer text as filler"):
        make(QuestionAnswering(data=records), 16384)


def test_filler_from_a_book(records: Path, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("\n\n".join(f"Chapter {n}. " + "it was a dark night " * 30 for n in range(200)), encoding="utf-8")
    task = QuestionAnswering(data=records, filler=book)
    item = make(task, 16384)
    check_length(item, 16384)
    others = [text for title, text in documents(item.prompt).values() if not title]
    assert len(others) == len(documents(item.prompt)) - 1
    chapters = [int(found[0]) for text in others if (found := re.findall(r"Chapter (\d+)\.", text))]
    assert all((later - earlier) % 200 == 1 for earlier, later in itertools.pairwise(chapters))
    assert fact_texts(item) == list(item.answers)
    assert task.data_files() == (records, book)
    with pytest.raises(SuiteError, match="filler: "):
        QuestionAnswering(data=records, filler=tmp_path / "none.txt")
    check_length(make(QuestionAnswering(filler=book), 4096), 4096)
    check_length(make(QuestionChoice(filler=book), 4096), 4096)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"scorer": "f2"}, "scorer: no scorer 'f2'; known: "),
        ({"budget": 0}, "budget: 0 is not at least 1 token"),
        ({"fields": "squad"}, "fields: belongs to records, and there is no data"),
        ({"document_words": 9}, "document_words: belongs to records"),
    ],
)
def test_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        QuestionAnswering(**parameters)


@pytest.mark.parametrize(
    ("parameters", "reply", "value"),
    [
        ({}, "lamp 7", 1.0),
        ({}, "It is lamp 7.\n\nThe document says so.", pytest.approx(2 / 3)),
        ({}, "Answer: lamp 7", 1.0),
        ({}, "the moon", 0.0),
        ({"scorer": "contains"}, "It is lamp 7, I think.", 1.0),
        ({"scorer": "exact"}, "It is lamp 7.", 0.0),
        ({"tagged": True}, "So: <answer>lamp 7</answer>", 1.0),
        ({"tagged": True}, "lamp 7", None),
        ({"reason": True}, '"Secret 7 is lamp 7."\nAnswer: lamp 7', 1.0),
        ({"reason": True}, '"Secret 7 is lamp 7."\n\n**lamp 7**', 1.0),
        ({"reason": True}, '"Secret 7 is lamp 7."\nAnswer:\nlamp 7\nbecause', 1.0),
        ({}, "", None),
        ({}, "  \n*\n", None),
        ({}, "...", None),
    ],
)
def test_replies(parameters: dict[str, Any], reply: str, value: Any, records: Path) -> None:
    task = QuestionAnswering(data=records, **parameters)
    item = Item("x", "", ("lamp 7", "the seventh lamp"), (), "x")
    found = task.score(item, reply)
    assert found == MISSING if value is None else found.value == value


@pytest.mark.parametrize("parameters", [{}, {"reason": True}, {"tagged": True}, {"reason": True, "tagged": True}])
def test_perfect_replies(parameters: dict[str, Any], records: Path) -> None:
    task = QuestionAnswering(data=records, **parameters)
    item = make(task)
    reply = task.perfect_reply(item)
    assert task.score(item, reply).value == 1
    assert ("Secret" in reply) == task.reason


def test_what_answers_take(tmp_path: Path) -> None:
    answers = [["one two three four", "one"], ["one two three"], ["yes"], ["No", "not at all"]]
    path = write(tmp_path / "r.jsonl", [question(n, answers=answer) for n, answer in enumerate(answers)])
    task = QuestionAnswering(data=path)
    assert task.usual_tokens == 1
    assert task.answer_tokens == 64
    assert QuestionAnswering(data=path, budget=9).answer_tokens == 9
    assert QuestionAnswering(data=path, reason=True).answer_tokens == 160
    assert task.chance == 0.25


def choice_records(path: Path) -> Path:
    options = ["red", "blue", "green", "grey"]
    rights = ["A", "C", "AC", "ABC", "B", "D", "A", "A", "AD", "B"]
    return write(path, [question(n, options=options, answers=right) for n, right in enumerate(rights)])


def test_choices_of_records(tmp_path: Path) -> None:
    path = choice_records(tmp_path / "r.jsonl")
    task = QuestionChoice(data=path, right="several")
    for index in range(10):
        item = make(task, 512, index)
        check_length(item, 512)
        assert "\nA. red\nB. blue\nC. green\nD. grey\nFirst quote the sentences" in item.prompt
        assert fact_texts(item)[0] in [context(number) for number in range(10)]
        assert task.score(item, task.perfect_reply(item)).value == 1
        assert task.score(item, f"Answer: {', '.join(item.answers)}").value == 1
    # Seven of ten have one right letter: one guess in four of these.
    assert task.chance == pytest.approx(0.7 / 4)
    with pytest.raises(SuiteError, match="right: record 'r2' has 2 right letters; say several"):
        QuestionChoice(data=path)


def test_two_choices_are_guessed_more_often(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [question(n, options=["yes", "no"], answers="A") for n in range(4)])
    assert QuestionChoice(data=path).chance == 0.5


def test_constant_letters_score_chance() -> None:
    task = QuestionChoice()
    items = [make(task, 600, index) for index in range(400)]
    mean = sum(task.score(item, "Answer: A").value for item in items) / len(items)
    assert mean == pytest.approx(task.chance, abs=0.07)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.sampled_from([512, 1024, 2048, 4096]), seed=st.integers(0, 9), index=st.integers(0, 29))
def test_needed_paragraphs_stand_apart(tmp_path: Path, length: int, seed: int, index: int) -> None:
    path = tmp_path / "chains.jsonl"
    if not path.exists():
        write(path, [chain(number) for number in range(30)])
    task = MultiHop(data=path)
    item = make(task, length, index, seed)
    check_length(item, length)
    number = item.answers[0].split()[1]
    assert f"Whose {number}?" in item.prompt
    assert fact_texts(item) == [context(10 * int(number) + place, 40) for place in (1, 3)]
    shelf = documents(item.prompt)
    titles = [title for title, _ in shelf.values()]
    assert len(set(titles)) == len(titles)
    assert {f"P {number} {place}" for place in range(4)} <= set(titles)
    first, last = sorted(titles.index(f"P {number} {place}") for place in (1, 3))
    assert first < len(titles) / 2 < last + 1
    assert task.score(item, f"Document 1 says so.\nAnswer: lamp {number}").value == 1
    assert task.score(item, "") == MISSING


def test_multi_hop_parameters(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", [chain(number) for number in range(5)])
    with pytest.raises(SuiteError, match="document_words: no record needs at most 9 words"):
        MultiHop(data=path, document_words=9)
    with pytest.raises(SuiteError, match="budget: 0"):
        MultiHop(data=path, budget=0)
    with pytest.raises(SuiteError, match="scorer: no scorer"):
        MultiHop(data=path, scorer="x")
    task = MultiHop(data=path, reason=False, tagged=True)
    assert (task.available(), task.answer_tokens, task.chance) == (5, 64, 0)
    assert make(task, 512).prompt.endswith("Reply inside <answer></answer> with a few words, and nothing else.")


def test_own_questions_are_sound() -> None:
    task = QuestionAnswering(data=OWN_QUESTIONS)
    assert task.available() == 40
    assert len({record.document.text for record in task.records}) >= 30
    for record in task.records:
        assert 60 <= record.document.size <= 110
        assert all(record.document.text.count(answer) == 1 for answer in record.answers)
        assert 3 <= len(record.answers[0].split()) <= 8
    for index in range(40):
        for length in (512, 1024, 4096):
            item = make(task, length, index)
            check_length(item, length)
            assert fact_texts(item) == [item.answers[0]]
