"""An independent reader of the text alone answers every item; what the text says is never contradictory."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparsetol_suites.item import Item, Score
from sparsetol_suites.suite import SuiteTask
from sparsetol_suites.tasks.story_filtering import StoryFiltering
from sparsetol_suites.tasks.story_multihop import StoryMultihop
from sparsetol_suites.tasks.story_retrieval import StoryRetrieval

from tests.suites.counter import WordCounter
from tests.suites.solvers.story import read, solve

StoryTask = StoryFiltering | StoryMultihop | StoryRetrieval

TASKS: dict[str, tuple[StoryTask, tuple[int, ...]]] = {
    "retrieval-short": (StoryRetrieval(queries=4, style="short"), (256, 512, 1024, 2048, 4096)),
    "multihop-short": (StoryMultihop(style="short"), (256, 512, 1024, 2048, 4096)),
    "filtering-short": (StoryFiltering(style="short"), (256, 512, 1024, 2048, 4096)),
    "retrieval-long": (StoryRetrieval(), (4096, 8192, 16384)),
    "multihop-long": (StoryMultihop(), (4096, 8192, 16384)),
    "filtering-long": (StoryFiltering(), (4096, 8192, 16384)),
    "one-query": (StoryRetrieval(queries=1, style="short", question_first=True, tagged=True), (256, 512)),
    "one-missing": (StoryFiltering(missing=1, style="short", question_first=True, tagged=True), (256, 512)),
    "tagged": (StoryMultihop(style="long", question_first=True, tagged=True), (2048, 4096)),
}

ITEMS = 20


def make(name: str, length: int, seed: int, index: int) -> Item:
    task = TASKS[name][0]
    suite_task = SuiteTask("tests@1", name, "story", task.group, task.scope, task.dispersion, task)
    return suite_task.generate(length, WordCounter(), seed, index)


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=ITEMS, deadline=None)
@given(st.data())
def test_the_text_alone_gives_the_reference(name: str, data: st.DataObject) -> None:
    task, lengths = TASKS[name]
    length = data.draw(st.sampled_from(lengths))
    item = make(name, length, data.draw(st.integers(0, 2**32)), data.draw(st.integers(0, 10_000)))
    tokens = WordCounter().prompt(item.prompt)
    assert 0.95 * length <= tokens <= length
    reply = solve(item.prompt)
    reply = f"<answer>{reply}</answer>" if task.tagged else reply
    assert reply == task.perfect_reply(item)
    assert task.score(item, reply) == Score(1.0)
    _check_facts(task, item)
    _check_chapters(item)


def _check_facts(task: StoryTask, item: Item) -> None:
    told = [item.prompt[fact.start : fact.end] for fact in item.facts]
    assert all(text == text.strip() for text in told)
    if isinstance(task, StoryFiltering):
        assert len(told) == len(item.answers)
        for text, answer in zip(told, item.answers, strict=True):
            assert text.startswith(f"Chapter {answer}\n")
            assert "\n\n" not in text
            assert not read(text)[0].bought
    elif isinstance(task, StoryMultihop):
        answer, given_item = item.answers
        assert f" {given_item}" in told[0]
        assert f" {answer}" in told[1]
        assert item.facts[1].end < item.facts[0].start
    else:
        assert len(told) == len(item.answers) == task.queries
        for place, text, answer in zip(item.facts, told, item.answers, strict=True):
            chapter, line = answer.split(": ")
            assert re.sub(r"^(?:I came to|I met|I bought) ", " ", line) in text
            # The nearest heading above is that of the chapter asked for.
            assert item.prompt.rindex("\nChapter ", 0, place.start) == item.prompt.index(f"\n{chapter}\n")


def _check_chapters(item: Item) -> None:
    chapters = read(item.prompt)
    assert [chapter.number for chapter in chapters] == list(range(1, len(chapters) + 1))
    pairs = [(chapter.person, chapter.place) for chapter in chapters]
    assert len(set(pairs)) == len(pairs)
    bought: set[str] = set()
    sold: set[str] = set()
    for chapter in chapters:
        assert len(chapter.bought) <= 1
        assert not bought & set(chapter.bought)
        for thing in chapter.sold:
            # Sold is what was bought in an earlier chapter, once.
            assert thing in bought - sold
            sold.add(thing)
        bought |= set(chapter.bought)
        assert chapter.text.count(chapter.person) == chapter.text.count(chapter.place) == 1
    for one, other in itertools.pairwise(chapters):
        assert one.person != other.person
        assert one.place != other.place
