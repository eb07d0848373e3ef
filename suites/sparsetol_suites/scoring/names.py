"""Single words that a reply names: variables, or words of a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scoring.text import words

_SEPARATOR = re.compile(r"[,;\n|]|\band\b|&", flags=re.IGNORECASE)
_LIST_MARK = re.compile(r"^[\s\-*•#>`_(\[]*(?:\d+\s*[.):]\s*)?")
_LEAD_IN = re.compile(r".*(?::|\b(?:is|are)\b)", flags=re.IGNORECASE)
_REMARK = re.compile(r"[:(=].*")


def named(text: str, is_name: Callable[[str], bool]) -> set[str]:
    """The names in an answer, lower-case.

    An entry of a list is a name, whatever the word, where it is a single word, or is one without what leads to it
    (`the names are apple`) or follows it (`apple = 42`, `apple (twice)`). An entry of several words is read as names
    where all of them can be, or exactly one. Copied sentences with assignments name nothing: repeating the context
    is no answer.

    Args:
        text: the answer.
        is_name: whether a word as it is written can be a name.

    """
    found: set[str] = set()
    for entry in _SEPARATOR.split(text):
        bare = _LIST_MARK.sub("", entry, count=1)
        after, before = _LEAD_IN.sub("", bare), _REMARK.sub("", bare)
        single = next(
            (said for said in map(_words, (bare, after, before, _LEAD_IN.sub("", before))) if len(said) == 1), []
        )
        several = [word for word in _words(bare) if is_name(word)] if "=" not in bare else []
        if single:
            found.update(single)
        elif len(set(several)) == 1 or several == _words(bare):
            found.update(several)
    return {name.lower() for name in found}


def _words(text: str) -> list[str]:
    """Words as they are written, without numbers and articles."""
    return [word for word in re.findall(r"[^\W_]+", text) if not word.isdigit() and words(word)]


def overlap(answers: Iterable[str], found: Collection[str]) -> Score:
    """Intersection over union of the reference and what was named, by lower-case words; nothing named is missing."""
    wanted = {answer.lower() for answer in answers}
    return Score(len(wanted & set(found)) / len(wanted | set(found))) if found else MISSING
