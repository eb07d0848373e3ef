"""What journals are made of: words, lengths of chapters, growth, spread of what is asked."""

from __future__ import annotations

import itertools
import re
from random import Random
from typing import get_args

import pytest
from sparsetol_suites.errors import LengthError, SuiteError
from sparsetol_suites.stories import short_style, vocabulary
from sparsetol_suites.stories.named import items_named
from sparsetol_suites.stories.story import Story
from sparsetol_suites.stories.styles import STYLES, StyleName
from sparsetol_suites.task import Draw
from sparsetol_suites.tasks.story_filtering import StoryFiltering
from sparsetol_suites.tasks.story_multihop import StoryMultihop
from sparsetol_suites.tasks.story_retrieval import StoryRetrieval
from sparsetol_suites.words import ADJECTIVES, NAMES, NOUNS, PLACES

from tests.suites.counter import WordCounter

STYLE_NAMES: tuple[StyleName, ...] = get_args(StyleName)

PHRASES = [
    phrase
    for name, phrases in vars(vocabulary).items()
    if name.isupper() and name not in {"ADJECTIVES", "MATERIALS", "THINGS"}
    for phrase in phrases
]


def test_the_short_style_uses_the_common_words() -> None:
    assert set(short_style.ADJECTIVES) <= set(ADJECTIVES)
    assert set(short_style.THINGS) <= set(NOUNS)
    assert set(short_style.SCENERY) <= set(NOUNS)
    assert set(short_style.LOOKS) <= set(ADJECTIVES)
    assert not set(short_style.SCENERY) & set(short_style.THINGS)


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_words_of_items_are_told_apart(style: StyleName) -> None:
    lists = STYLES[style].items
    words = [word for listed in lists for word in listed]
    assert len(set(words)) == len(words)
    assert not set(words) & {name.lower() for name in (*NAMES, *PLACES)}


def test_phrases_hold_no_answers() -> None:
    items = {word for listed in STYLES["long"].items for word in listed}
    proper = {*NAMES, *PLACES}
    for phrase in PHRASES:
        words = set(re.findall(r"\w+", re.sub(r"\{\w+\}", "", phrase)))
        assert not words & items, phrase
        assert not words & proper, phrase
        assert not re.search(r"\d", phrase), phrase
    assert len(set(PHRASES)) == len(PHRASES)


def test_only_purchases_and_sales_acquire_and_sell() -> None:
    plain = [phrase for phrase in PHRASES if phrase not in (*vocabulary.PURCHASES, *vocabulary.SALES)]
    for phrase in plain:
        assert not re.search(r"\b(?:buy|bought|purchas\w*|acquir\w*|sell|sold)\b", phrase), phrase
    assert all(re.search(r"\b(?:bought|purchased|acquired)\b", phrase) for phrase in vocabulary.PURCHASES)
    assert all(re.search(r"\bsold\b", phrase) for phrase in vocabulary.SALES)


@pytest.mark.parametrize(("style", "least", "most"), [("short", 18, 30), ("long", 100, 180)])
def test_lengths_of_chapters(style: StyleName, least: int, most: int) -> None:
    text = Story(STYLES[style], Random(0)).text(200).text
    lengths = [len(re.findall(r"\w+|[^\w\s]", chapter)) for chapter in text.split("\n\n")]
    assert least <= min(lengths)
    assert max(lengths) <= most


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_shorter_journals_are_the_beginning_of_longer_ones(style: StyleName) -> None:
    story = Story(STYLES[style], Random(0))
    longer = story.text(40)
    assert longer.text.startswith(story.text(12).text)
    assert Story(STYLES[style], Random(0)).text(12).text == story.text(12).text


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_every_unit_adds_a_little(style: StyleName) -> None:
    counter = WordCounter()
    spare = STYLES[style].spare
    story = Story(STYLES[style], Random(1))
    counts = [counter.prompt(story.text(*divmod(units, spare)).text) for units in range(spare, 12 * spare)]
    steps = [after - before for before, after in itertools.pairwise(counts)]
    assert min(steps) > 0
    assert max(steps) <= {"short": 6, "long": 60}[style]


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_what_is_left_out_is_sold_nowhere(style: StyleName) -> None:
    story = Story(STYLES[style], Random(2))
    without = {1, 5, 30}
    text = story.text(60, without=without)
    left_out = {story.chapter(index).item for index in without}
    assert not left_out & items_named(text.text, STYLES[style])
    # Nothing else goes.
    kept = {story.chapter(index).item for index in range(60)} - left_out
    assert kept == items_named(text.text, STYLES[style])
    assert all(("item" in facts) == (index not in without) for index, facts in enumerate(text.facts))


def test_stories_never_run_out_at_a_million_tokens() -> None:
    assert STYLES["long"].capacity > 2**20 / 120
    assert STYLES["short"].capacity > 4 * 2**10


@pytest.mark.parametrize(
    "task", [StoryRetrieval(queries=4, style="short"), StoryMultihop(style="short"), StoryFiltering(style="short")]
)
def test_facts_are_spread_over_the_depth(task: StoryRetrieval | StoryMultihop | StoryFiltering) -> None:
    depths = []
    for index in range(120):
        draft = task.draft(2048, WordCounter(), Draw(Random(f"depth{index}"), 0, index))
        facts = draft.facts[:1] if isinstance(task, StoryMultihop) else draft.facts
        depths += [fact.start / len(draft.message) for fact in facts]
    bins = [sum(k / 4 <= depth < (k + 1) / 4 for depth in depths) / len(depths) for k in range(4)]
    # Question and intro take a share of the prompt at its ends.
    assert all(0.18 <= share <= 0.30 for share in bins), bins


def test_kinds_of_questions_are_all_asked() -> None:
    draft = StoryRetrieval(queries=16, style="short").draft(2048, WordCounter(), Draw(Random(3), 0, 0))
    leads = {re.sub(r"Chapter \d+: (I \w+).*", r"\1", answer) for answer in draft.answers}
    assert leads == {"I came", "I met", "I bought"}
    assert len({answer.split(":")[0] for answer in draft.answers}) == 16


def test_parameters_out_of_range() -> None:
    with pytest.raises(SuiteError, match="queries: 0"):
        StoryRetrieval(queries=0)
    with pytest.raises(SuiteError, match="missing: 9"):
        StoryFiltering(missing=9)


def test_too_short_for_its_questions() -> None:
    with pytest.raises(LengthError, match="shortest prompt"):
        StoryRetrieval(queries=16).draft(1024, WordCounter(), Draw(Random(0), 0, 0))


def test_chance() -> None:
    assert StoryFiltering(style="short").chance == pytest.approx(0.164, abs=0.001)
    assert StoryFiltering(style="long").chance < 0.03
    assert StoryFiltering(missing=1, style="short").chance == pytest.approx(1 / 12)
    assert StoryMultihop(style="short").chance == pytest.approx(1 / 11)
    assert StoryRetrieval(style="short").chance == pytest.approx(1 / 16)
