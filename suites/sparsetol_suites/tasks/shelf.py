"""Numbered documents: those that a question needs among others, the last of which may be cut."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import islice
from random import Random
from typing import NamedTuple

from sparsetol_suites.depth import places
from sparsetol_suites.records.document import Document


class Shelved(NamedTuple):
    """A context.

    Attributes:
        context: the documents with their headings.
        numbers: of the needed documents, counted from 1.
        starts: their first characters in the context, after their headings.

    """

    context: str
    numbers: tuple[int, ...]
    starts: tuple[int, ...]


class Shelf:
    """Fills a context with other documents, word by word.

    Args:
        needed: documents that the question needs; they are always whole, and spread over the depth.
        others: in the order in which they are used; they may be without end.
        index: of the item, which decides about the places.
        seed: the same places and order however many words are tried.
        mixed: whether the others that are shown change places.

    Attributes:
        most: words of all others, None where they may be without end.

    """

    def __init__(
        self, needed: Sequence[Document], others: Iterable[Document], *, index: int, seed: int, mixed: bool = False
    ) -> None:
        self.most = sum(document.size for document in others) if isinstance(others, Sequence) else None
        self._needed = needed
        self._source = iter(others)
        self._others: list[Document] = []
        self._totals = [0]
        self._index = index
        self._seed = seed
        self._mixed = mixed

    def filled(self, words: int) -> Shelved:
        """The needed documents and `words` words of the others, or all that there are."""
        while self._totals[-1] < words:
            more = next(self._source, None)
            if more is None:
                break
            self._others.append(more)
            self._totals.append(self._totals[-1] + more.size)
        words = min(words, self._totals[-1])
        used = bisect_left(self._totals, words)
        shown = list(islice(self._others, used))
        rng = Random(self._seed)
        slots = places(len(self._needed), self._index, rng, used + len(self._needed))
        if used and words < self._totals[used]:
            cut = shown.pop()
            short = Document(cut.title, cut.head(words - self._totals[used - 1]))
            if self._mixed:
                rng.shuffle(shown)
            shown.append(short)
        elif self._mixed:
            rng.shuffle(shown)
        return self._laid(dict(zip(slots, self._needed, strict=True)), shown, slots)

    def _laid(self, fixed: dict[int, Document], shown: Sequence[Document], slots: Sequence[int]) -> Shelved:
        rest = iter(shown)
        parts: list[str] = []
        texts: list[int] = []
        size = 0
        for slot in range(len(fixed) + len(shown)):
            document = fixed.get(slot) or next(rest)
            heading = f"Document {slot + 1}{f' ({document.title})' if document.title else ''}\n"
            parts.append(heading + document.text)
            texts.append(size + len(heading))
            size += len(parts[-1]) + 2
        return Shelved("\n\n".join(parts), tuple(slot + 1 for slot in slots), tuple(texts[slot] for slot in slots))
