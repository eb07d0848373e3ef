"""What a way of telling consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from sparsetol_suites.words import NAMES, PLACES

Kind = Literal["place", "person", "item", "sale", "other"]


class Sentence(NamedTuple):
    """A sentence and the fact that it holds, `other` for none."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Chapter:
    """What happens in a chapter.

    Attributes:
        place: where the writer comes to.
        person: whom the writer meets.
        item: what the writer buys.
        sells: chapter of the same story, counted from 0, whose item the writer sells; None for no sale.

    """

    place: str
    person: str
    item: str
    sells: int | None = None


@dataclass(frozen=True)
class Telling:
    """A chapter in words.

    Attributes:
        sentences: in order.
        spare: sentences without facts that may be added, all different.
        spot: where spare sentences go: before the sentence of that number, counted from 0.

    """

    sentences: tuple[Sentence, ...]
    spare: tuple[str, ...]
    spot: int


@dataclass(frozen=True)
class Style:
    """A way of telling.

    Attributes:
        items: lists of words, one of each makes the name of an item; no word stands in two of them.
        tell: puts a chapter into words; the second argument is the item sold, None for no sale.
        spare: units of length that a chapter is worth; as many spare sentences are about as long as a chapter.
        sales: share of chapters with a sale, from the second one on.
        usual: chapters of the shortest prompts that the shipped suites make, a lower estimate.

    """

    items: tuple[tuple[str, ...], ...]
    tell: Callable[[Chapter, str | None, Random], Telling]
    spare: int
    sales: float
    usual: int

    @property
    def capacity(self) -> int:
        """Most chapters of a story: pairs of person and place, and items, differ in all of them.

        Nine tenths of what there is: the last ones of a kind take long to draw.
        """
        items = 1
        for words in self.items:
            items *= len(words)
        return min(items, len(NAMES) * len(PLACES)) * 9 // 10


def with_article(noun: str) -> str:
    """`a` or `an` before it, by its first letter."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def listed(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())
