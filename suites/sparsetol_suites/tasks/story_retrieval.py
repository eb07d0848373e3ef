"""Retrieval of what happened in chapters that are given by number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from sparsetol_suites.depth import places
from sparsetol_suites.errors import SuiteError
from sparsetol_suites.fit import fit
from sparsetol_suites.item import MISSING, Draft, Item, Score, TokenCounter
from sparsetol_suites.scoring import find_answer, lines, numbered, words
from sparsetol_suites.stories.named import items_named, proper_named
from sparsetol_suites.stories.story import Story, parts
from sparsetol_suites.stories.style import Chapter, Kind, with_article
from sparsetol_suites.stories.styles import STYLES, StyleName
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.layout import lay_out

_LEADS: dict[Kind, str] = {"place": "I came to", "person": "I met", "item": "I bought"}

_CHAPTER = re.compile(r"[\s*_]*(?:in\s+)?chapter\s+(\d{1,6})\b[\s*_:.,)\u2013\u2014-]*", flags=re.IGNORECASE)
_COLON = re.compile(r"(chapter\s+\d+)[\s*_]*[.:)\]]+", flags=re.IGNORECASE)
_ANSWER = re.compile(r"\banswers?\s*:", flags=re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class StoryRetrieval(Task):
    """A journal, and lines to be completed about what happened in some of its chapters, given by number.

    A line asks for the place, the person met or the item bought.

    Source: Story Retrieval of The Sparse Frontier, arXiv 2504.17768: 16 chapters.

    Departures: narratives of our own; no explanation before the answers; lines to be completed in place of questions,
    since small models copy these.

    Attributes:
        queries: chapters asked for, all different.
        style: `long`, chapters of 120 to 180 tokens, or `short`, about 25 in regular wording.

    """

    group: ClassVar[str] = "multi_qa"
    scope: ClassVar[Level] = "low"
    dispersion: ClassVar[Level] = "low"

    queries: int = 16
    style: StyleName = "long"

    def __post_init__(self) -> None:
        if not 1 <= self.queries <= 64:
            raise SuiteError(f"queries: {self.queries} is not between 1 and 64")

    @property
    def chance(self) -> float:
        """The answer of some other chapter, drawn blindly, in the shortest stories."""
        return 1 / max(self.queries, STYLES[self.style].usual)

    @property
    def answer_tokens(self) -> int:
        """Twice what the lines take."""
        return self.queries * (36 if self.style == "long" else 28) + 16

    @property
    def usual_tokens(self) -> int:
        """Number, chapter and words of each line."""
        return self.queries * 8

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """A story up to the length, the asked chapters spread over it."""
        style = STYLES[self.style]
        story = Story(style, Random(draw.rng.getrandbits(64)))
        kinds = [draw.rng.choice(list(_LEADS)) for _ in range(self.queries)]
        seed = draw.rng.getrandbits(64)

        def build(units: int) -> Draft:
            chapters, spare = parts(units, style)
            text = story.text(chapters, spare)
            asked = places(self.queries, draw.index, Random(seed), chapters)
            entries = list(zip(asked, kinds, strict=True))
            return lay_out(
                intro="Here is my journal. In each chapter I come to a place, meet a person and buy an item.",
                context=text.text,
                question=self._question(entries),
                question_first=self.question_first,
                answers=[_line(index, kind, _fact(story.chapter(index), kind)) for index, kind in entries],
                facts=[text.facts[index][kind] for index, kind in entries],
            )

        return fit(build, length, counter, least=self.queries * style.spare, most=style.capacity * style.spare)

    def _question(self, entries: list[tuple[int, Kind]]) -> str:
        listed = "\n".join(f"{number}. {_line(*entry, '___')}" for number, entry in enumerate(entries, start=1))
        wrapped = " inside <answer></answer>" if self.tagged else ""
        return (
            f"What does my journal say in these chapters?\n{listed}\n"
            f"Reply with these numbered lines, completed{wrapped}."
        )

    def perfect_reply(self, item: Item) -> str:
        """The reply that the prompt asks for, worth 1."""
        reply = "\n".join(f"{number}. {answer}" for number, answer in enumerate(item.answers, start=1))
        return f"<answer>{reply}</answer>" if self.tagged else reply

    def score(self, item: Item, reply: str) -> Score:
        """Share of the questions whose entry names the answer and no other person, place or item.

        Entries are found by their number; those without numbers by the chapter that they restate; without both they
        count in their order. An entry that restates another chapter than its question's is wrong.
        """
        text = _answer(reply, tagged=self.tagged)
        if text is None:
            return MISSING
        style = STYLES[self.style]
        asked = [_asked(answer) for answer in item.answers]
        entries = _entries(text, [chapter for chapter, _ in asked])
        named = {number: items_named(entry, style) | proper_named(entry) for number, entry in entries.items()}
        right = sum(
            words(entries.get(number, "")) == words(fact) or named.get(number) == {fact}
            for number, (_, fact) in enumerate(asked, start=1)
        )
        if not right and not any(named.values()):
            return MISSING
        return Score(right / len(asked))


def _fact(chapter: Chapter, kind: Kind) -> str:
    return {"place": chapter.place, "person": chapter.person, "item": with_article(chapter.item)}[kind]


def _line(index: int, kind: Kind, fact: str) -> str:
    return f"Chapter {index + 1}: {_LEADS[kind]} {fact}"


def _asked(line: str) -> tuple[int, str]:
    """Chapter and bare fact of a line with its answer."""
    chapter, said = line.removeprefix("Chapter ").split(": ")
    fact = re.sub(rf"^(?:{'|'.join(_LEADS.values())}) (?:an? )?", "", said)
    return int(chapter), fact


def _answer(reply: str, *, tagged: bool) -> str | None:
    """As `find_answer`, but the whole reply where each entry has an `Answer:` of its own."""
    found = find_answer(reply, tagged=tagged)
    untagged = not tagged and "</answer>" not in reply.lower()
    return reply.strip() if untagged and len(_ANSWER.findall(reply)) > 1 else found


def _entries(text: str, chapters: list[int]) -> dict[int, str]:
    """What a reply says to each question, by the question's number; the first of a number counts."""
    # `Chapter 2:` must not pass for a list's second mark.
    text = _COLON.sub(r"\1,", text)
    if not numbered(text):
        listed = lines(text)
        by_chapter: dict[int, str] = {}
        for line in listed:
            restated = _CHAPTER.match(line)
            if restated and int(restated[1]) in chapters:
                by_chapter.setdefault(chapters.index(int(restated[1])) + 1, line[restated.end() :])
        return by_chapter or dict(enumerate((line for line in listed if not line.endswith(":")), start=1))
    # An answer may stand on the lines below its restated question.
    joined: list[str] = []
    for line in text.splitlines():
        if joined and not numbered(line) and numbered(joined[-1]):
            joined[-1] += f" {line.strip()}"
        else:
            joined.append(line)
    found: dict[int, str] = {}
    for number, entry in numbered("\n".join(joined)).items():
        restated = _CHAPTER.match(entry)
        if restated and chapters[number - 1 : number] != [int(restated[1])]:
            found[number] = ""
        else:
            found[number] = entry[restated.end() :] if restated else entry
    return found
