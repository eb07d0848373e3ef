"""A journal of any number of chapters, and where its facts stand in the text."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from random import Random

from sparsetol_suites.stories.style import Chapter, Kind, Style, Telling
from sparsetol_suites.words import NAMES, PLACES

Span = tuple[int, int]


@dataclass(frozen=True)
class Text:
    """A journal as it is read.

    Attributes:
        text: all chapters under their headings.
        chapters: first and last character (exclusive) of each chapter, heading included.
        facts: the same for the sentences that hold a chapter's facts, by kind.

    """

    text: str
    chapters: tuple[Span, ...]
    facts: tuple[Mapping[Kind, Span], ...]


class Story:
    """Chapters that are drawn when they are needed: those of a shorter journal are the first ones of a longer one.

    No pair of person and place and no item occurs twice, neighbouring chapters differ in both person and place, and
    only what was bought in an earlier chapter is sold, once.

    Args:
        style: how it is told.
        rng: of this story alone.

    """

    def __init__(self, style: Style, rng: Random) -> None:
        self.style = style
        self._rng = rng
        self._chapters: list[Chapter] = []
        self._tellings: list[Telling] = []
        self._pairs: set[tuple[str, str]] = set()
        self._items: set[str] = set()
        self._owned: list[int] = []

    def chapter(self, index: int) -> Chapter:
        """The chapter of that number, counted from 0."""
        while len(self._chapters) <= index:
            self._grow()
        return self._chapters[index]

    def text(self, chapters: int, spare: int = 0, without: Container[int] = frozenset()) -> Text:
        """The first `chapters` chapters.

        Args:
            chapters: at least one.
            spare: sentences without facts to be added, spread evenly.
            without: chapters, counted from 0, in which nothing is bought; their items are not sold later either.

        """
        self.chapter(chapters - 1)
        added: dict[int, int] = {}
        for number in range(spare):
            index = number * chapters // spare
            added[index] = added.get(index, 0) + 1
        pieces: list[str] = []
        spans: list[Span] = []
        facts: list[Mapping[Kind, Span]] = []
        at = 0
        for index in range(chapters):
            found: dict[Kind, Span] = {}
            start = at
            lines = self._lines(index, added.get(index, 0), without)
            pieces.append(f"Chapter {index + 1}\n")
            at += len(pieces[-1])
            for kind, sentence in lines:
                if kind != "other":
                    found[kind] = (at, at + len(sentence))
                pieces.append(sentence)
                pieces.append(" ")
                at += len(sentence) + 1
            pieces[-1] = "\n\n"
            spans.append((start, at - 1))
            facts.append(found)
            at += 1
        pieces.pop()
        return Text("".join(pieces), tuple(spans), tuple(facts))

    def _lines(self, index: int, spare: int, without: Container[int]) -> list[tuple[Kind, str]]:
        telling = self._tellings[index]
        left_out = set()
        if index in without:
            left_out.add("item")
        if self._chapters[index].sells in without:
            left_out.add("sale")
        lines: list[tuple[Kind, str]] = []
        for number, sentence in enumerate(telling.sentences):
            if number == telling.spot:
                lines += [("other", text) for text in telling.spare[:spare]]
            if sentence.kind not in left_out:
                lines.append(sentence)
        if telling.spot == len(telling.sentences):
            lines += [("other", text) for text in telling.spare[:spare]]
        return lines

    def _grow(self) -> None:
        rng = self._rng
        last = self._chapters[-1] if self._chapters else None
        pair = (rng.choice(NAMES), rng.choice(PLACES))
        while pair in self._pairs or (last and (pair[0] == last.person or pair[1] == last.place)):
            pair = (rng.choice(NAMES), rng.choice(PLACES))
        self._pairs.add(pair)
        item = self._item()
        while item in self._items:
            item = self._item()
        self._items.add(item)
        sells = None
        if self._owned and rng.random() < self.style.sales:
            sells = self._owned.pop(rng.randrange(len(self._owned)))
        self._owned.append(len(self._chapters))
        chapter = Chapter(pair[1], pair[0], item, sells)
        sold = None if sells is None else self._chapters[sells].item
        self._chapters.append(chapter)
        self._tellings.append(self.style.tell(chapter, sold, rng))

    def _item(self) -> str:
        return " ".join(self._rng.choice(words) for words in self.style.items)


def parts(units: int, style: Style) -> tuple[int, int]:
    """Chapters and spare sentences that make up that many units of length."""
    return divmod(units, style.spare)
