"""Single words that a reply names: variables, or words of a list."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scoring.text import words

_SEPARATOR = re.compile(r"[,;\n|]|\band\b|&", flags=re.IGNORECASE)
_LIST_MARK = re.compile(r"^[\s\-*•#>`_(\[]*(?:\d+\s*[.):]\s*)?")
_CAPITALS = re.compile(r"(?<![A-Za-z0-9])[A-Z]{5}(?![A-Za-z0-9])")


def named(text: str, known: Collection[str] | None) -> set[str]:
    """The names in an answer, lower-case.

    An entry of a list that is a single word is a name, whatever the word. Of an entry of several words, such as a
    sentence around the list, only words that can be names are.

    Args:
        text: the answer.
        known: lower-case words that can be names; None for names of five capitals.

    """
    found: set[str] = set()
    for entry in _SEPARATOR.split(text):
        bare = _LIST_MARK.sub("", entry, count=1)
        here = [word for word in words(bare) if not word.isdigit()]
        if len(here) == 1:
            found.update(here)
        elif known is None:
            found.update(name.lower() for name in _CAPITALS.findall(bare))
        else:
            found.update(word for word in here if word in known)
    return found


def overlap(answers: Iterable[str], found: Collection[str]) -> Score:
    """Intersection over union of the reference and what was named, by lower-case words; nothing named is missing."""
    wanted = {answer.lower() for answer in answers}
    return Score(len(wanted & set(found)) / len(wanted | set(found))) if found else MISSING
