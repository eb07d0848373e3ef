"""A text that questions are about."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

_WIDE = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
_WORD = re.compile(rf"[{_WIDE}]|[^\s{_WIDE}]+")
"""Characters of Chinese, Japanese and Korean count as words: a text without spaces can be cut then."""


@dataclass(frozen=True)
class Document:
    """A titled text whose words have been found.

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
        """A document of that title and text."""
        return cls(title, text, tuple(match.end() for match in _WORD.finditer(text)))

    @property
    def cluster(self) -> str:
        """A name that is the same wherever the text is."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def head(self, count: int) -> str:
        """The text up to its `count`th word."""
        return self.text[: self.ends[count - 1]]
