"""Share of right entries of a list."""

from __future__ import annotations

from collections.abc import Sequence

from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scoring.entries import lines, numbered
from sparsetol_suites.scoring.text import words


def share(answers: Sequence[str], text: str) -> Score:
    """Share of the references whose entry in the answer has the same words.

    Entries are numbered from 1 in the order of `answers`. Without numbers their order counts: one a line or, on a
    single line, between commas.
    """
    found = numbered(text)
    if not found:
        parts = lines(text)
        if len(parts) == 1 < len(answers):
            parts = lines(parts[0].replace(",", "\n").replace(";", "\n"))
        found = dict(enumerate(parts, start=1))
    if not any(map(words, found.values())):
        return MISSING
    right = sum(words(found.get(number, "")) == words(answer) for number, answer in enumerate(answers, start=1))
    return Score(right / len(answers))
