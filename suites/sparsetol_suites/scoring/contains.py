"""Whether a reference stands somewhere in the answer."""

from __future__ import annotations

from collections.abc import Sequence

from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scoring.text import words


def contains(answers: Sequence[str], text: str) -> Score:
    """1 where the words of one of the alternatives stand in the text, in order and side by side."""
    found = words(text)
    if not found:
        return MISSING
    spaced = f" {' '.join(found)} "
    return Score(float(any(f" {' '.join(words(answer))} " in spaced for answer in answers if words(answer))))
