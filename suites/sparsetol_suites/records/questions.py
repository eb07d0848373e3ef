"""Questions about documents: one record is a document, a question about it and its answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.records import checks
from sparsetol_suites.records.rows import Row


@dataclass(frozen=True)
class Document:
    """A text that questions are about.

    Attributes:
        title: may be empty.
        text: the document.
        ends: the character after each of its words.

    """

    title: str
    text: str
    ends: tuple[int, ...] = field(compare=False, repr=False)

    @classmethod
    def of(cls, title: str, text: str) -> Document:
        """A document whose words have been found."""
        return cls(title, text, tuple(match.end() for match in re.finditer(r"\S+", text)))

    @property
    def cluster(self) -> str:
        """Name that is the same wherever the text is."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def head(self, count: int) -> str:
        """The text up to its `count`th word."""
        return self.text[: self.ends[count - 1]]


@dataclass(frozen=True)
class Question:
    """One record.

    Attributes:
        id: the record's own.
        document: what it is about.
        text: the question.
        answers: alternatives.

    """

    id: str
    document: Document
    text: str
    answers: tuple[str, ...]

    def place(self) -> tuple[int, int]:
        """Where the answer stands in the document: the first of the answers that occurs there, at its first place.

        The whole document where none of them occurs word for word.
        """
        for answer in self.answers:
            start = self.document.text.find(answer)
            if start >= 0:
                return start, start + len(answer)
        return 0, len(self.document.text)


def questions(rows: Iterable[Row]) -> tuple[Question, ...]:
    """The questions that rows hold in SQuAD's fields; documents of the same text are the same object.

    Raises `LocatedError` or `SuiteError` about the first row that is wrong, or where there is none.
    """
    found: list[Question] = []
    documents: dict[str, Document] = {}
    seen: dict[str, int] = {}
    source: object = None
    for row in rows:
        source = row.source
        own = checks.name(row, "id")
        if own in seen:
            raise row.error(f"id: {own!r} stands on line {seen[own]} already; each record needs an id of its own")
        seen[own] = row.number
        context = checks.text(row, "context")
        document = documents.get(context)
        if document is None:
            title = checks.optional_text(row, "title").replace("_", " ")
            document = documents[context] = Document.of(title, context)
        found.append(Question(own, document, checks.text(row, "question"), checks.texts(row, "answers")))
    if not found:
        raise SuiteError(f"data: {source or 'the file'} holds no records")
    return tuple(found)
