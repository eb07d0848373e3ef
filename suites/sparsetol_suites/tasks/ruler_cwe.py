"""The words that stand most often in a list."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from sparsetol_suites.errors import LengthError, SuiteError
from sparsetol_suites.fit import fit
from sparsetol_suites.item import Draft, Item, Score, TokenCounter
from sparsetol_suites.scoring import find_answer, named, overlap
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.layout import lay_out
from sparsetol_suites.words import ADJECTIVES, NOUNS, compounds

_LARGEST_SHARE = 0.25
"""Of the list, for the common words: in a shorter list, copying from anywhere would score too well."""

_MARGIN = 0.9
"""Of the words there are: how many of them a length needs is estimated."""

_MOST_TIMES = 1000


@dataclass(frozen=True, kw_only=True)
class RulerCwe(Task):
    """A shuffled list in which some words stand often and all others rarely; asked for are the former.

    Facts are all places of the common words, word by word.

    Source: common words extraction of RULER, Hsieh et al. 2024, arXiv 2404.06654, as configured in The Sparse
    Frontier, arXiv 2504.17768: ten words thirty times, all others three times, a numbered list.

    Departures: long contexts take made-up compounds of two nouns; where a length needs more different words than there
    are, all frequencies are multiplied by the smallest whole number that will do; common words are at most a quarter
    of the list; the prompt shows no solved example. Small models get common words in a list without numbers, which
    would take more tokens than the words.

    Attributes:
        common: words asked for.
        often: times that each of them stands in the list.
        rare: times that every other word stands in it.
        style: `compounds`, numbered, or `words`: adjectives and nouns.

    """

    group: ClassVar[str] = "aggregation"
    scope: ClassVar[Level] = "high"
    dispersion: ClassVar[Level] = "low"

    common: int = 10
    often: int = 30
    rare: int = 3
    style: Literal["compounds", "words"] = "compounds"

    def __post_init__(self) -> None:
        if not 1 <= self.common <= 100:
            raise SuiteError(f"common: {self.common} is not between 1 and 100")
        if not 1 <= self.rare < self.often <= _MOST_TIMES:
            raise SuiteError(f"often: {self.often}, rare: {self.rare}; 1 <= rare < often <= {_MOST_TIMES} is needed")

    @property
    def chance(self) -> float:
        """Score of copying words from anywhere in a list of which the common words are the largest share."""
        return _LARGEST_SHARE / (2 - _LARGEST_SHARE)

    @property
    def answer_tokens(self) -> int:
        """More than twice what the common words take."""
        return self.common * (10 if self.style == "compounds" else 6) + 16

    @property
    def usual_tokens(self) -> int:
        """Words and the commas between them."""
        return self.common * (3 if self.style == "compounds" else 2) - 1

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """Rare words up to the length."""
        rng = draw.rng
        vocabulary = _vocabulary(self.style)
        # Words to choose from are shuffled once: a longer list holds the words of a shorter one.
        order = rng.sample(vocabulary, len(vocabulary))
        seed = rng.getrandbits(64)
        common = order[: self.common]
        most = len(order) - self.common
        least = 1 + int(self.common * self.often * (1 / _LARGEST_SHARE - 1) / self.rare)
        if least > most:
            raise LengthError(f"{least} rare words are needed beside the common ones, and there are {most}")

        def build(rare: int, times: int = 1) -> Draft:
            entries = common * (self.often * times) + order[self.common : self.common + rare] * (self.rare * times)
            Random(seed).shuffle(entries)
            return self._lay_out(entries, set(common))

        # Counting a list of all words to see whether they suffice would take seconds.
        rest = counter.prompt(self._lay_out((), set()).message)
        entry = (counter.prompt(build(least).message) - rest) / (self.common * self.often + least * self.rare)
        room = (length - rest) / entry
        times = 1 + int(room / (self.common * self.often + _MARGIN * most * self.rare))
        return fit(functools.partial(build, times=times), length, counter, least=least, most=most)

    def _lay_out(self, entries: Sequence[str], common: set[str]) -> Draft:
        """A draft from the list; common words are answers in the order in which they first stand there."""
        spans: dict[str, list[tuple[int, int]]] = {}
        texts = []
        position = 0
        for number, word in enumerate(entries, start=1):
            text = f"{number}. {word}" if self.style == "compounds" else word
            if word in common:
                end = position + len(text)
                spans.setdefault(word, []).append((end - len(word), end))
            texts.append(text)
            position += len(text) + (1 if self.style == "compounds" else 2)
        return lay_out(
            intro="Here is a list of words. Some words stand in it more often than the others.",
            context=("\n" if self.style == "compounds" else ", ").join(texts),
            question=self._question(),
            question_first=self.question_first,
            answers=spans,
            facts=[span for found in spans.values() for span in found],
        )

    def _question(self) -> str:
        wrapped = " inside <answer></answer>" if self.tagged else ""
        return (
            f"Which {self.common} words stand most often in the list? "
            f"Reply with these {self.common} words{wrapped}, separated by commas."
        )

    def perfect_reply(self, item: Item) -> str:
        """The reply that the prompt asks for, worth 1."""
        reply = ", ".join(item.answers)
        return f"<answer>{reply}</answer>" if self.tagged else reply

    def score(self, item: Item, reply: str) -> Score:
        """Intersection over union of the words named and the common words."""
        text = find_answer(reply, tagged=self.tagged)
        return overlap(item.answers, named(text or "", lambda word: word.lower() in _known(self.style)))


@functools.cache
def _vocabulary(style: str) -> tuple[str, ...]:
    # An entry in both lists would stand twice as often as it should.
    return compounds() if style == "compounds" else tuple(dict.fromkeys((*ADJECTIVES, *NOUNS)))


@functools.cache
def _known(style: str) -> frozenset[str]:
    return frozenset(_vocabulary(style))
