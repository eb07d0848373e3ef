"""Which chapters lack what all the others have: every chapter has to be looked at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import comb
from random import Random
from typing import ClassVar

from sparsetol_suites.depth import places
from sparsetol_suites.errors import SuiteError
from sparsetol_suites.fit import fit
from sparsetol_suites.item import MISSING, Draft, Item, Score, TokenCounter
from sparsetol_suites.scoring import find_answer
from sparsetol_suites.stories.story import Story, parts
from sparsetol_suites.stories.styles import STYLES, StyleName
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.layout import lay_out

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight")

_LIST_MARK = re.compile(r"^[ \t-]*\d+[.)][ \t]+(?=[^\d\n]*\d)", flags=re.MULTILINE)
_COUNT = re.compile(r"\b\d+\s+(?:of\s+the\s+)?chapters?\b(?!\s*\d)", flags=re.IGNORECASE)
_RANGE = re.compile(r"\b(\d{1,7})[ \t]*(?:-|\u2013|\u2014|\bto\b|\bthrough\b)[ \t]*(\d{1,7})\b", flags=re.IGNORECASE)
_LONGEST_RANGE = 64


@dataclass(frozen=True, kw_only=True)
class StoryFiltering(Task):
    """A journal in which something is bought in all chapters but a few; asked are the numbers of these.

    Source: Story Filtering of The Sparse Frontier, arXiv 2504.17768: three chapters without a purchase.

    Departures: narratives of our own; no explanation before the answer; an item whose purchase is left out is sold
    nowhere.

    Attributes:
        missing: chapters without a purchase.
        style: `long`, chapters of 120 to 180 tokens, or `short`, about 25 in regular wording.

    """

    group: ClassVar[str] = "aggregation"
    scope: ClassVar[Level] = "high"
    dispersion: ClassVar[Level] = "low"

    missing: int = 3
    style: StyleName = "long"

    def __post_init__(self) -> None:
        if not 1 <= self.missing < len(_WORDS):
            raise SuiteError(f"missing: {self.missing} is not between 1 and {len(_WORDS) - 1}")

    @property
    def chance(self) -> float:
        """Mean IoU of as many chapters drawn blindly, in the shortest stories."""
        k, n = self.missing, max(2 * self.missing, STYLES[self.style].usual)
        return sum(comb(k, hit) * comb(n - k, k - hit) * hit / (2 * k - hit) for hit in range(1, k + 1)) / comb(n, k)

    @property
    def answer_tokens(self) -> int:
        """Four times what the numbers take: replies tend to begin with a sentence."""
        return self.missing * 8 + 24

    @property
    def usual_tokens(self) -> int:
        """A word, the numbers and what stands between them."""
        return 2 * self.missing

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """A story up to the length, the chapters without a purchase spread over it.

        The facts are these chapters as wholes, in order; strictly the answer needs all the others, too.
        """
        style = STYLES[self.style]
        story = Story(style, Random(draw.rng.getrandbits(64)))
        seed = draw.rng.getrandbits(64)

        def build(units: int) -> Draft:
            chapters, spare = parts(units, style)
            without = sorted(places(self.missing, draw.index, Random(seed), chapters))
            text = story.text(chapters, spare, frozenset(without))
            return lay_out(
                intro="Here is my journal. In each chapter I come to a place, meet a person and may buy an item.",
                context=text.text,
                question=self._question(),
                question_first=self.question_first,
                answers=[str(index + 1) for index in without],
                facts=[text.chapters[index] for index in without],
            )

        least = max(2, self.missing + 1) * style.spare
        return fit(build, length, counter, least=least, most=style.capacity * style.spare)

    def _question(self) -> str:
        wrapped = " inside <answer></answer>" if self.tagged else ""
        if self.missing == 1:
            return (
                "In exactly one chapter I buy nothing. Which chapter is it?\n"
                f"Reply with its number{wrapped}, written as Chapter A."
            )
        letters = ", ".join("ABCDEFGH"[: self.missing])
        return (
            f"In exactly {_WORDS[self.missing]} chapters I buy nothing. Which chapters are they?\n"
            f"Reply with their numbers{wrapped}, written as Chapters {letters}."
        )

    def perfect_reply(self, item: Item) -> str:
        """The reply that the prompt asks for, worth 1."""
        reply = f"Chapter{'s' if self.missing > 1 else ''} {', '.join(item.answers)}"
        return f"<answer>{reply}</answer>" if self.tagged else reply

    def score(self, item: Item, reply: str) -> Score:
        """Intersection over union of the chapters named and the chapters without a purchase."""
        text = find_answer(reply, tagged=self.tagged)
        if text is None:
            return MISSING
        named = _numbers(text)
        if not named:
            return MISSING
        wanted = {int(answer) for answer in item.answers}
        return Score(len(named & wanted) / len(named | wanted))


def _numbers(text: str) -> set[int]:
    """Chapters that a reply names; marks of numbered lists and counts of chapters are not among them."""
    text = re.sub(r"[*_`]+", "", text)
    text = _COUNT.sub(" ", _LIST_MARK.sub("", text))
    found: set[int] = set()
    for match in _RANGE.finditer(text):
        first, last = int(match[1]), int(match[2])
        if first < last <= first + _LONGEST_RANGE:
            found.update(range(first, last + 1))
    # Longer numbers than any chapter has are noise; int() would refuse the longest.
    return found | {int(digits) for digits in re.findall(r"\d+", text) if len(digits) < 8}
