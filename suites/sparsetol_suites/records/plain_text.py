"""Passages of a plain-text file, as filler."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.records.document import Document

_LEAST_WORDS = 100
_MOST_WORDS = 250


def passages(path: Path) -> tuple[Document, ...]:
    """The text in passages of 100 to 250 words, in its order and without titles.

    Paragraphs stand between empty lines; short ones are joined, long ones are cut between words. Line breaks within a
    paragraph become spaces. Raises `SuiteError` where the file cannot be read as UTF-8 or holds fewer than 100 words.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SuiteError(f"filler: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SuiteError(f"filler: {path} is not UTF-8 text") from None
    found: list[Document] = []
    pending: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        pending += paragraph.split()
        while len(pending) >= _LEAST_WORDS:
            found.append(Document("", " ".join(pending[:_MOST_WORDS])))
            pending = pending[_MOST_WORDS:]
    if not found:
        raise SuiteError(f"filler: {path} holds fewer than {_LEAST_WORDS} words")
    return tuple(found)


def turned(documents: tuple[Document, ...], rng: Random) -> tuple[Document, ...]:
    """All documents in their order, from any of them on, and back to the beginning."""
    first = rng.randrange(len(documents))
    return (*documents[first:], *documents[:first])
