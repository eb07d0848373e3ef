"""Intersection over union of a list and its reference."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scoring.entries import lines, numbered
from sparsetol_suites.scoring.text import words

_LEVELS = (r";(?:\s*and\b)?", r",(?:\s*and\b)?", r"\band\b|&")
_LEAD_IN = re.compile(r".*(?:[:=]|\b(?:is|are|was|were)\b)", flags=re.IGNORECASE | re.DOTALL)

_Entry = tuple[str, ...]


def iou(answers: Sequence[str], text: str) -> Score:
    """Entries that answer and reference share, as a part of all entries that either has; order is free.

    Entries stand one a line, numbered or not, or between semicolons, commas and `and`; a reference that holds one of
    these is not taken apart. What introduces a list is no entry.
    """
    wanted = {tuple(words(answer)) for answer in answers}
    parts = list(numbered(text).values()) or [line for line in lines(text) if not line.endswith(":")]
    found = {entry for part in parts for entry in _entries(part, wanted, _LEVELS)}
    return Score(len(wanted & found) / len(wanted | found)) if found else MISSING


def _entries(part: str, wanted: Collection[_Entry], levels: tuple[str, ...]) -> Iterator[_Entry]:
    entry = tuple(words(part))
    if not entry:
        return
    if entry in wanted:
        yield entry
    elif levels:
        for piece in re.split(levels[0], part, flags=re.IGNORECASE):
            yield from _entries(piece, wanted, levels[1:])
    else:
        bare = tuple(words(_LEAD_IN.sub("", part)))
        yield bare if bare in wanted else entry
