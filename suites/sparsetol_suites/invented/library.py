"""Subjects of different names, drawn one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Literal

from sparsetol_suites.errors import LengthError
from sparsetol_suites.invented import people, short, villages
from sparsetol_suites.invented.kind import Kind
from sparsetol_suites.invented.patterns import fill, names
from sparsetol_suites.invented.subject import Subject, make
from sparsetol_suites.records.document import Document

StyleName = Literal["short", "long"]

KINDS: dict[StyleName, tuple[Kind, ...]] = {
    "short": (short.PEOPLE,),
    "long": (people.PEOPLE, villages.VILLAGES),
}
"""What documents of a style are about: `short` about 45 words each, `long` about 200."""

MOST = {kind.name: names(kind.name, kind.words) * 9 // 10 for kinds in KINDS.values() for kind in kinds}
"""Names by their pattern; the last tenth would take long to find."""


class Library:
    """Makes subjects; no two have the same name.

    Args:
        style: of the documents.
        rng: everything is drawn from it.

    """

    def __init__(self, style: StyleName, rng: Random) -> None:
        self._kinds = KINDS[style]
        self._rng = rng
        self._names: set[str] = set()

    def kind(self) -> Kind:
        """A kind of the style."""
        return self._rng.choice(self._kinds)

    def new(self, kind: Kind, needed: Iterable[str] = ()) -> Subject:
        """A subject whose document has the `needed` attributes."""
        if len(self._names) > MOST[kind.name]:
            raise LengthError("there are too few names for so many documents; take the long style")
        name = fill(kind.name, kind.words, self._rng)
        while name in self._names:
            name = fill(kind.name, kind.words, self._rng)
        self._names.add(name)
        return make(kind, name, self._rng, needed)

    def documents(self) -> Iterator[Document]:
        """Documents without end, for lengths of up to a million tokens."""
        while True:
            yield self.new(self.kind()).document
