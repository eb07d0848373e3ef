"""Shared words of answer and reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scoring.text import words


def f1(answers: Sequence[str], text: str) -> Score:
    """Best F1 of shared words over the alternatives in `answers`; a word counts as often as it stands in both.

    Source: the evaluation of SQuAD, Rajpurkar et al. 2016, arXiv 1606.05250.
    """
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
