"""Whether the answer is a reference and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scoring.text import words


def exact(answers: Sequence[str], text: str) -> Score:
    """1 where the words of the text are those of one of the alternatives, in order."""
    found = words(text)
    return Score(float(found in [words(answer) for answer in answers])) if found else MISSING
