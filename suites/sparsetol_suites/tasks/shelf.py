"""Numbered documents: the one that a question is about among others, the last of which may be cut."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from sparsetol_suites.records.questions import Document


class Shelved(NamedTuple):
    """A context.

    Attributes:
        context: the documents with their headings.
        number: of the document that the question is about, counted from 1.
        start: its first character in the context, after its heading.

    """

    context: str
    number: int
    start: int


class Shelf:
    """Fills a context with other documents, word by word.

    Args:
        asked: the document that the question is about; it is always whole.
        others: in the order in which they are used.
        depth: place of the asked document among them, in [0, 1).

    """

    def __init__(self, asked: Document, others: Sequence[Document], depth: float) -> None:
        self._asked = asked
        self._others = others
        self._depth = depth
        self._totals = list(accumulate((len(document.ends) for document in others), initial=0))

    @property
    def most(self) -> int:
        """Words of all other documents."""
        return self._totals[-1]

    def filled(self, words: int) -> Shelved:
        """The asked document and `words` words of the others."""
        whole = bisect_right(self._totals, words) - 1
        shown = [(document.title, document.text) for document in self._others[:whole]]
        rest = words - self._totals[whole]
        if rest:
            cut = self._others[whole]
            shown.append((cut.title, cut.head(rest)))
        place = int(self._depth * (len(shown) + 1))
        shown.insert(place, (self._asked.title, self._asked.text))
        parts = [
            f"Document {number}{f' ({title})' if title else ''}\n{text}"
            for number, (title, text) in enumerate(shown, start=1)
        ]
        before = sum(len(part) + 2 for part in parts[:place])
        start = before + len(parts[place]) - len(self._asked.text)
        return Shelved("\n\n".join(parts), place + 1, start)
