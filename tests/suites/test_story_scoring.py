"""What replies to the narrative tasks are worth: partial credit, what chat models write, and what is no answer."""

from __future__ import annotations

import pytest
from sparsetol_suites.item import MISSING, Item, Score
from sparsetol_suites.tasks.story_filtering import StoryFiltering
from sparsetol_suites.tasks.story_multihop import StoryMultihop
from sparsetol_suites.tasks.story_retrieval import StoryRetrieval


def item(*answers: str) -> Item:
    return Item("task/0/0", "", answers, (), "task/0/0")


LINES = item(
    "Chapter 8: I met Felix",
    "Chapter 2: I came to Oakham",
    "Chapter 14: I bought an amber kettle",
    "Chapter 1: I met Zelda",
)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (
            "1. Chapter 8: I met Felix\n2. Chapter 2: I came to Oakham\n3. Chapter 14: I bought an amber kettle\n"
            "4. Chapter 1: I met Zelda",
            1.0,
        ),
        # Answers alone, with and without chapters, decorated.
        ("1. Felix\n2. Oakham\n3. amber kettle\n4. Zelda", 1.0),
        ("1) felix\n2) oakham\n3) Amber Kettle.\n4) zelda", 1.0),
        ("Felix\nOakham\nAmber kettle\nZelda", 1.0),
        ("- Chapter 8: Felix\n- Chapter 2: Oakham\n- Chapter 14: amber kettle\n- Chapter 1: Zelda", 1.0),
        ("Chapter 1: Zelda\nChapter 2: Oakham\nChapter 8: Felix\nChapter 14: amber kettle", 1.0),
        (
            "**1.** **Chapter 8:** I met **Felix**.\n**2.** **Chapter 2:** I came to **Oakham**.\n"
            "**3.** **Chapter 14:** I bought an **amber kettle**.\n**4.** **Chapter 1:** I met **Zelda**.",
            1.0,
        ),
        (
            "Here are the completed lines:\n\n1. Chapter 8: I met Felix\n2. Chapter 2: I came to Oakham\n"
            "3. Chapter 14: I bought an amber kettle\n4. Chapter 1: I met Zelda\n\nLet me know if I can help!",
            1.0,
        ),
        (
            "1. Chapter 8: I met ___\n   Felix\n2. Chapter 2: I came to ___\n   Oakham\n"
            "3. Chapter 14: I bought ___\n   an amber kettle\n4. Chapter 1: I met ___\n   Zelda",
            1.0,
        ),
        ("1. Chapter 8: Felix 2. Chapter 2: Oakham 3. Chapter 14: amber kettle 4. Chapter 1: Zelda", 1.0),
        ("Answer: 1. Felix\n2. Oakham\n3. amber kettle\n4. Zelda", 1.0),
        ("1. Answer: Felix\n2. Answer: Oakham\n3. Answer: amber kettle\n4. Answer: Zelda", 1.0),
        ("1. In chapter 8 I met Felix.\n2. In chapter 2 it was Oakham.\n3. The amber kettle.\n4. It was Zelda.", 1.0),
        ("<answer>1. Felix\n2. Oakham\n3. amber kettle\n4. Zelda</answer>", 1.0),
        # Partial credit.
        ("1. Felix\n2. Oakham\n3. amber lantern\n4. Zelda", 0.75),
        ("1. Felix\n3. amber kettle", 0.5),
        ("1. Chapter 8: I met Felix", 0.25),
        ("1. Felix\n2. Felix\n3. Felix\n4. Felix", 0.25),
        ("1. Oakham\n2. Felix\n3. amber kettle\n4. Zelda", 0.5),
        ("1. Hugo\n1. Felix\n2. Oakham\n3. amber kettle\n4. Zelda", 0.75),
        # Another chapter than the one asked for under that number.
        ("1. Chapter 7: I met Felix\n2. Chapter 2: I came to Oakham", 0.25),
        # Several candidates are no answer, and a thing alone is no item.
        ("1. Felix or Hugo\n2. Oakham, Whitby\n3. amber kettle, pale boot\n4. Zelda at Oakham", 0.0),
        ("1. Felix, Oakham, amber kettle, Zelda", 0.0),
        ("1. Hugo\n3. kettle", 0.0),
        ("3. dark amber kettle\n4. Zelda", 0.25),
        # A reply of SmolLM2-135M: it goes on beyond the lines asked for.
        (
            "1. Chapter 8: I met Felix\n2. Chapter 4: I met Helen\n3. Chapter 5: I met Emil\n"
            "4. Chapter 7: I met Mabel\n5. Chapter 8: I met Mabel\n6. Chapter 10: I met Mabel\n7. Chapter 11: I met",
            0.25,
        ),
    ],
)
def test_share_of_lines_completed(reply: str, value: float) -> None:
    assert StoryRetrieval(queries=4, style="short").score(LINES, reply) == Score(value)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        " \n",
        "I do not know.",
        "1.\n2.\n3.\n4.",
        "...",
        "!!!!!!!!",
        "9" * 5000,
        # Replies of SmolLM2-135M that repeat what was asked.
        "1. Chapter 8: which person?\n2. Chapter 2: which place?\n\nThe answer is: 1. Chapter 8: which person?\n",
        "1. Chapter 8: I met ___\n2. Chapter 2: I came to ___\n3. Chapter 14: I bought ___\n4. Chapter 1: I met ___",
    ],
)
def test_no_line_is_completed(reply: str) -> None:
    assert StoryRetrieval(queries=4, style="short").score(LINES, reply) == MISSING


def test_a_single_line() -> None:
    task = StoryRetrieval(queries=1, style="long")
    asked = item("Chapter 212: I bought a dented oak flute")
    assert task.score(asked, "A dented oak flute.") == Score(1.0)
    assert task.score(asked, "In Chapter 212, I bought a dented oak flute.") == Score(1.0)
    assert task.score(asked, "an oak flute") == Score(0.0)
    assert task.score(asked, "a dented pine flute") == Score(0.0)


ITEMS = item("dented oak flute", "worn copper lantern")


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Before the worn copper lantern came the dented oak flute.", 1.0),
        ("dented oak flute", 1.0),
        ("The Dented Oak Flute", 1.0),
        ("**A dented oak flute.**", 1.0),
        ("Answer: dented oak flute", 1.0),
        ("1. dented oak flute", 1.0),
        ("- worn copper lantern\n- dented oak flute", 1.0),
        ("You bought the dented oak flute in chapter 4. The flute was later sold.", 1.0),
        ("Before the worn copper lantern\ncame the dented-oak flute", 1.0),
        ("worn copper lantern dented oak flute", 1.0),
        ("I first thought of a slim tin whistle.\nAnswer: the dented oak flute", 1.0),
        # The given item alone, others, and several.
        ("worn copper lantern", 0.0),
        ("Before the worn copper lantern came the slim tin flute and a folding tin flute.", 0.0),
        ("dented oak flute or folding tin whistle", 0.0),
        ("folding tin whistle, dented oak flute", 0.0),
        ("dented pine flute", 0.0),
        ("oak flute", 0.0),
        ("old dented oak flutes and a worn copper lantern", 0.0),
        ("painted dented oak flute", 0.0),
        # A reply of SmolLM2-135M.
        ("The item I bought last before I bought the worn copper lantern was a silver pen.", 0.0),
    ],
)
def test_the_item_before(reply: str, value: float) -> None:
    assert StoryMultihop(style="long").score(ITEMS, reply) == Score(value)


@pytest.mark.parametrize(
    "reply", ["", "I do not know.", "the flute", "...", "Answer:", "Chapter 7", "flute oak dented"]
)
def test_no_item(reply: str) -> None:
    assert StoryMultihop(style="long").score(ITEMS, reply) == MISSING


def test_items_of_the_short_style() -> None:
    asked = item("amber kettle", "pale boot")
    task = StoryMultihop(style="short")
    assert task.score(asked, "Before the pale boot came the amber kettle.") == Score(1.0)
    assert task.score(asked, "Before the pale boot came the dented amber kettle.") == Score(1.0)
    assert task.score(asked, "Before the pale boot came the large amber kettle.") == Score(0.0)
    assert task.score(asked, "Before the pale boot came the pale boot.") == Score(0.0)


NUMBERS = item("3", "8", "11")


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Chapters 3, 8, 11", 1.0),
        ("3, 8, 11", 1.0),
        ("11,8,3,", 1.0),
        ("3 8 11", 1.0),
        ("**Chapters 3, 8 and 11**", 1.0),
        ("**Chapters **3**, **8**, and **11**.", 1.0),
        ("Chapter 3\nChapter 8\nChapter 11", 1.0),
        ("Chapter 3, Chapter 8, and Chapter 11.", 1.0),
        ("1. Chapter 3\n2. Chapter 8\n3. Chapter 11", 1.0),
        ("1. 3\n2. 8\n3. 11", 1.0),
        ("3.\n8.\n11.", 1.0),
        ("- 3\n- 8\n- 11", 1.0),
        ("* Chapter 3: no purchase\n* Chapter 8: no purchase\n* Chapter 11: no purchase", 1.0),
        ("The 3 chapters without a purchase are 3, 8 and 11.", 1.0),
        ("Exactly 3 of the chapters: 3, 8, 11.", 1.0),
        ("I looked at chapters 1 to 12.\nAnswer: Chapters 3, 8, 11", 1.0),
        ("<answer>3, 8, 11</answer>", 1.0),
        ("Chapters 3, 8, 8, 11, 3", 1.0),
        # Partial credit.
        ("Chapters 3, 8, 12", 0.5),
        ("Chapters 3, 8", 2 / 3),
        ("Chapter 8", 1 / 3),
        ("Chapters 3, 8, 11, 12", 0.75),
        ("Chapters 3, 9, 12", 0.2),
        ("Chapters 8-11", 2 / 5),
        ("Chapters 1 to 12", 0.25),
        ("Chapters 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12", 0.25),
        ("Chapters 38, 11", 0.25),
        ("Chapters 1, 2, 4", 0.0),
        # A reply of SmolLM2-135M, which recites the journal.
        ("Chapter 1\nI came to Kelby. I met Nell. I bought a neat net.\n\nChapter 2\nI came to Foxley.", 0.0),
    ],
)
def test_share_of_chapters(reply: str, value: float) -> None:
    assert StoryFiltering(style="short").score(NUMBERS, reply) == Score(value)


@pytest.mark.parametrize(
    "reply", ["", "None of them.", "Chapters A, B, C", "In three chapters, I bought nothing.", "...", "9" * 5000]
)
def test_no_chapter(reply: str) -> None:
    assert StoryFiltering(style="short").score(NUMBERS, reply) == MISSING


@pytest.mark.parametrize("task", [StoryRetrieval(tagged=True), StoryMultihop(tagged=True), StoryFiltering(tagged=True)])
def test_tags_where_they_are_asked_for(task: StoryRetrieval | StoryMultihop | StoryFiltering) -> None:
    asked = item(
        *{"StoryRetrieval": LINES, "StoryMultihop": ITEMS, "StoryFiltering": NUMBERS}[type(task).__name__].answers
    )
    reply = task.perfect_reply(asked)
    bare = reply.removeprefix("<answer>").removesuffix("</answer>")
    assert task.score(asked, bare) == MISSING
    assert task.score(asked, f"Let me see: folding tin whistle, 7.\n{reply}").value > 0
