"""Which persons, places and items of stories a reply names."""

from __future__ import annotations

import re

from sparsetol_suites.stories.style import Style
from sparsetol_suites.words import NAMES, PLACES

_WORD = re.compile(r"[^\W\d_]+|\n|\S")
_DECORATION = re.compile(r"[*_`\"“”]+")
_PROPER = frozenset(NAMES + PLACES)


def items_named(text: str, style: Style) -> set[str]:
    """Items in lower case: a thing with all words of items that stand unbroken before it.

    A thing alone refers back to an item and is none.
    """
    things = frozenset(style.items[-1])
    known = frozenset(word for words in style.items for word in words)
    found: set[str] = set()
    run: list[str] = []
    for word in _tokens(text.lower()):
        run = [*run, word] if word in known else []
        if word in things:
            if len(run) > 1:
                found.add(" ".join(run))
            run = []
    return found


def proper_named(text: str) -> set[str]:
    """Persons and places, written with a capital."""
    return {word for word in _tokens(text) if word in _PROPER}


def _tokens(text: str) -> list[str]:
    # Marks of emphasis may stand inside a name, hyphens between its words.
    return _WORD.findall(_DECORATION.sub("", text).replace("-", " "))
