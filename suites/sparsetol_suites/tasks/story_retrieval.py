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
from sparsetol_suites.scoring import find_answer, words
from sparsetol_suites.stories.named import items_named, proper_named
from sparsetol_suites.stories.story import Story, parts
from sparsetol_suites.stories.style import Chapter, Kind
from sparsetol_suites.stories.styles import STYLES, StyleName
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.layout import lay_out

_KINDS: tuple[Kind, ...] = ("place", "person", "item")

_NUMBERED = re.compile(r"(\d+)\s*[.):]\s*(.*)")
_CHAPTER = re.compile(r"(?:in\s+)?chapter\s+(\d+)\s*[:.,)\u2013\u2014-]*\s*", flags=re.IGNORECASE)
_INLINE = re.compile(r"(?<=\S)[ \t,;]+(?=\d+[.)]\s+[*_]*chapter\s)", flags=re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class StoryRetrieval(Task):
    """A journal; for some of its chapters, given by number, the place, the person met or the item bought is asked.

    Source: Story Retrieval of The Sparse Frontier, arXiv 2504.17768: 16 chapters.

    Departures: narratives of our own; no explanation before the answers; the chapter's number is restated before each.

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
        """Twice what the asked entries take."""
        return self.queries * (24 if self.style == "long" else 16) + 16

    @property
    def usual_tokens(self) -> int:
        """Number, chapter and answer of each entry."""
        return self.queries * 6

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """A story up to the length, the asked chapters spread over it."""
        style = STYLES[self.style]
        story = Story(style, Random(draw.rng.getrandbits(64)))
        kinds = [draw.rng.choice(_KINDS) for _ in range(self.queries)]
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
                answers=[f"Chapter {index + 1}: {_fact(story.chapter(index), kind)}" for index, kind in entries],
                facts=[text.facts[index][kind] for index, kind in entries],
            )

        return fit(build, length, counter, least=self.queries * style.spare, most=style.capacity * style.spare)

    def _question(self, entries: list[tuple[int, Kind]]) -> str:
        listed = "\n".join(
            f"{number}. Chapter {index + 1}: which {kind}?" for number, (index, kind) in enumerate(entries, start=1)
        )
        wrapped = " inside <answer></answer>" if self.tagged else ""
        return (
            f"What does my journal say in these chapters?\n{listed}\n"
            f"Reply with one numbered line for each{wrapped}, written as 1. Chapter number: answer."
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
        text = find_answer(reply, tagged=self.tagged)
        if text is None:
            return MISSING
        style = STYLES[self.style]
        asked: list[tuple[int, str]] = []
        for answer in item.answers:
            chapter, _, fact = answer.removeprefix("Chapter ").partition(": ")
            asked.append((int(chapter), fact))
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
    return {"place": chapter.place, "person": chapter.person, "item": chapter.item}[kind]


def _entries(text: str, chapters: list[int]) -> dict[int, str]:
    """What a reply says to each question, by the question's number; the first of a number counts."""
    # Entries in one line are told apart only where each restates its chapter.
    lines = [line.strip(" \t-*•_#>") for line in _INLINE.sub("\n", text).splitlines()]
    lines = [line for line in lines if line]
    found: dict[int, str] = {}
    current: int | None = None
    for line in lines:
        numbered = _NUMBERED.match(line)
        rest = (numbered[2] if numbered else line).lstrip("*_ ")
        restated = _CHAPTER.match(rest)
        if numbered:
            current = int(numbered[1])
            wrong = restated is not None and chapters[current - 1 : current] != [int(restated[1])]
        elif restated:
            chapter = int(restated[1])
            current = chapters.index(chapter) + 1 if chapter in chapters else 0
            wrong = False
        elif current is not None:
            # The answer may stand on the line below the restated question.
            found[current] = f"{found[current]}\n{rest}"
            continue
        else:
            continue
        if current in found:
            current = -1
        body = rest[restated.end() :] if restated else rest
        found.setdefault(current, "" if wrong else body.rstrip(".,;* "))
    if found:
        return found
    return dict(enumerate((line for line in lines if not line.endswith(":")), start=1))
