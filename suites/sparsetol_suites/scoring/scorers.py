"""Scorers by name, for tasks over data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scoring.text import words

Scorer = Callable[[Sequence[str], str], Score]


def f1(answers: Sequence[str], text: str) -> Score:
    """Best F1 of shared words over the alternatives in `answers`."""
    found = Counter(words(text))
    if not found:
        return MISSING
    best = 0.0
    for answer in answers:
        wanted = Counter(words(answer))
        shared = (found & wanted).total()
        if shared:
            best = max(best, 2 * shared / (found.total() + wanted.total()))
    return Score(best)


def contains(answers: Sequence[str], text: str) -> Score:
    """1 where the words of one of the alternatives stand in the text, in order and side by side."""
    found = words(text)
    if not found:
        return MISSING
    spaced = f" {' '.join(found)} "
    return Score(float(any(f" {' '.join(words(answer))} " in spaced for answer in answers if words(answer))))


SCORERS: dict[str, Scorer] = {"f1": f1, "contains": contains}
