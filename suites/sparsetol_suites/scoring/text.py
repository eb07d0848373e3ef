"""Words as replies and references are compared by."""

from __future__ import annotations

import unicodedata

_ARTICLES = frozenset({"a", "an", "the"})


def words(text: str) -> list[str]:
    """Lower-case words without punctuation, symbols and articles, as question answering compares them.

    Source: the evaluation of SQuAD, Rajpurkar et al. 2016, arXiv 1606.05250.

    Departures: punctuation separates words, so that `well-known` is two; that of all languages counts.
    """
    plain = "".join(" " if unicodedata.category(character)[0] in "PS" else character for character in text.lower())
    return [word for word in plain.split() if word not in _ARTICLES]
