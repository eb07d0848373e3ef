"""One invented subject and the document about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from sparsetol_suites.invented.kind import Attribute, Kind
from sparsetol_suites.invented.patterns import fill, put
from sparsetol_suites.records.document import Document


@dataclass(frozen=True)
class Subject:
    """A subject, its values and its document.

    Attributes:
        kind: of the document.
        name: of the subject.
        values: what the document says, by attribute.
        spans: where each value stands in the document.
        document: titled with the name.

    """

    kind: Kind
    name: str
    values: Mapping[str, str]
    spans: Mapping[str, tuple[int, int]]
    document: Document

    def say(self, pattern: str, value: str = "") -> str:
        """A question or statement about the subject."""
        said, _ = put(pattern, {**_names(self.name), "value": value})
        return said[:1].upper() + said[1:]

    def attribute(self, key: str) -> Attribute:
        """The attribute of that name."""
        return self.kind.by_key[key]


def _names(name: str) -> dict[str, str]:
    return {"name": name, "last": name.split()[-1]}


def make(kind: Kind, name: str, rng: Random, needed: Iterable[str] = ()) -> Subject:
    """A subject of that name, with the `needed` attributes and others up to the kind's number of facts."""
    keys = list(needed)
    others = [attribute.key for attribute in kind.attributes if attribute.key not in keys]
    keys += rng.sample(others, max(0, rng.randint(*kind.facts) - len(keys)))
    rng.shuffle(keys)
    values = {key: fill(kind.by_key[key].value, kind.words, rng) for key in keys}
    sentences: list[tuple[str, str]] = [(key, rng.choice(kind.by_key[key].sentences)) for key in keys]
    for aside in rng.sample(kind.asides, kind.aside_count):
        sentences.insert(rng.randint(1, len(sentences)), ("", aside))
    if kind.openings:
        sentences.insert(0, ("", rng.choice(kind.openings)))
    spans: dict[str, tuple[int, int]] = {}
    parts: list[str] = []
    size = 0
    for key, pattern in sentences:
        said, start = put(pattern, {**_names(name), "value": values.get(key, "")})
        if key:
            spans[key] = (size + start, size + start + len(values[key]))
        parts.append(said[:1].upper() + said[1:])
        size += len(said) + 1
    return Subject(kind, name, values, spans, Document(name, " ".join(parts)))
