"""A text that questions are about."""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from dataclasses import dataclass

_WIDE = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
_WORD = re.compile(rf"[{_WIDE}]|[^\s{_WIDE}]+")
"""Characters of Chinese, Japanese and Korean count as words: a text without spaces can be cut then."""


@dataclass(frozen=True)
class Document:
    """A titled text that can be cut between words.

    Attributes:
        title: may be empty.
        text: the document.

    """

    title: str
    text: str

    @functools.cached_property
    def size(self) -> int:
        """Number of words."""
        return len(_WORD.findall(self.text))

    @functools.cached_property
    def _ends(self) -> list[int]:
        return [match.end() for match in _WORD.finditer(self.text)]

    def head(self, count: int) -> str:
        """The text up to its `count`th word."""
        return self.text[: self._ends[count - 1]]

    def shared(self, count: int, places: int) -> list[str]:
        """The first `count` words in so many pieces of about the same number of words."""
        edges = [count * place // places for place in range(places + 1)]
        starts = [0, *self._ends]
        return [self.text[starts[begin] : starts[end]].strip() for begin, end in itertools.pairwise(edges)]

    @property
    def cluster(self) -> str:
        """A name that is the same wherever the text is."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]
