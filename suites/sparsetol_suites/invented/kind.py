"""What documents of one kind say: attributes, each with its values, sentences and question."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Attribute:
    """Something that is known about a subject.

    Patterns name words in braces: `{value}` and the subject's `{name}` and `{last}`, else lists of the kind.

    Attributes:
        key: its name.
        value: pattern of its values.
        sentences: patterns, any one of which states it.
        question: pattern of the question that asks for it.
        statement: pattern of the sentence that a choice offers.
        stem: pattern of how an answer's sentence begins, where answers are sentences.

    """

    key: str
    value: str
    sentences: tuple[str, ...]
    question: str
    statement: str
    stem: str = ""


@dataclass(frozen=True)
class Kind:
    """One kind of document.

    Attributes:
        name: pattern of its subjects' names.
        attributes: what can be known.
        words: the lists that patterns name.
        facts: fewest and most attributes of a document; each choice question needs four.
        openings: patterns, one of which begins each document; none for documents of facts alone.
        asides: sentences that state nothing that is asked for.
        aside_count: how many of them stand in a document.

    """

    name: str
    attributes: tuple[Attribute, ...]
    words: Mapping[str, tuple[str, ...]]
    facts: tuple[int, int]
    openings: tuple[str, ...] = ()
    asides: tuple[str, ...] = ()
    aside_count: int = 0

    @functools.cached_property
    def by_key(self) -> dict[str, Attribute]:
        """The attributes by their names."""
        return {attribute.key: attribute for attribute in self.attributes}
