"""Questions about invented documents, and the other documents that go with them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from random import Random
from typing import Literal, NamedTuple

from sparsetol_suites.invented.library import Library, StyleName
from sparsetol_suites.invented.subject import Subject
from sparsetol_suites.records.document import Document
from sparsetol_suites.records.question import LETTERS, Question

Right = Literal["one", "several"]


class Invented(NamedTuple):
    """A question and the documents around its own.

    Attributes:
        question: what is asked.
        others: other documents without end; the first ones say the same kind of thing with other values.

    """

    question: Question
    others: Iterator[Document]


def phrase(style: StyleName, rng: Random) -> Invented:
    """A question that a few words of the document answer."""
    library = Library(style, rng)
    subject = library.new(library.kind())
    key = rng.choice(list(subject.values))
    attribute = subject.attribute(key)
    rivals = _rivals(library, subject, [key], 1)
    question = Question(
        id="",
        document=subject.document,
        text=subject.say(attribute.question),
        answers=(subject.values[key],),
        evidence=(subject.spans[key],),
        stem=subject.say(attribute.stem) if attribute.stem else "",
    )
    return Invented(question, chain((rival.document for rival in rivals), library.documents()))


def choice(style: StyleName, rng: Random, right: Right) -> Invented:
    """A question with four choices: the value of one attribute, or statements some of which are true.

    Of statements, one to three are true, with all fourteen sets of letters equally likely. Wrong choices are what
    other documents say.
    """
    library = Library(style, rng)
    subject = library.new(library.kind())
    keys = rng.sample(list(subject.values), len(LETTERS) if right == "several" else 1)
    rivals = _rivals(library, subject, keys, len(LETTERS) - 1)
    others = chain((rival.document for rival in rivals), library.documents())
    question = _statements(subject, keys, rivals, rng) if right == "several" else _values(subject, keys[0], rivals, rng)
    return Invented(question, others)


def _values(subject: Subject, key: str, rivals: list[Subject], rng: Random) -> Question:
    values = [subject.values[key], *(rival.values[key] for rival in rivals)]
    rng.shuffle(values)
    return Question(
        id="",
        document=subject.document,
        text=subject.say(subject.attribute(key).question),
        answers=(LETTERS[values.index(subject.values[key])],),
        options=tuple(values),
        evidence=(subject.spans[key],),
    )


def _statements(subject: Subject, keys: list[str], rivals: list[Subject], rng: Random) -> Question:
    chosen = rng.randrange(1, 2 ** len(LETTERS) - 1)
    true = [bool(chosen >> place & 1) for place in range(len(LETTERS))]
    others = iter(rivals)
    values = [(subject if fact else next(others)).values[key] for key, fact in zip(keys, true, strict=True)]
    return Question(
        id="",
        document=subject.document,
        text=f"Which of these statements about {subject.name} are true?",
        answers=tuple(letter for letter, fact in zip(LETTERS, true, strict=True) if fact),
        options=tuple(
            subject.say(subject.attribute(key).statement, value) for key, value in zip(keys, values, strict=True)
        ),
        evidence=tuple(subject.spans[key] for key in keys),
    )


def _rivals(library: Library, subject: Subject, keys: list[str], count: int) -> list[Subject]:
    """Other subjects of the kind that have the attributes, no two with the same value."""
    found = [subject]
    while len(found) <= count:
        rival = library.new(subject.kind, keys)
        if all(rival.values[key] != other.values[key] for key in keys for other in found):
            found.append(rival)
    return found[1:]
