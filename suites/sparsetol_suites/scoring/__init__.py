"""From a model's reply to a score: find the answer in it, then compare.

Each scorer takes the reference answers and the answer's text and gives a `Score`; `SCORERS` names those that a suite
may choose. What holds no answer counts 0 and is reported as missing.
"""

from __future__ import annotations

from sparsetol_suites.scoring.answer import find_answer
from sparsetol_suites.scoring.choice import choice, letters
from sparsetol_suites.scoring.contains import contains
from sparsetol_suites.scoring.entries import lines, numbered
from sparsetol_suites.scoring.exact import exact
from sparsetol_suites.scoring.f1 import f1
from sparsetol_suites.scoring.iou import iou
from sparsetol_suites.scoring.names import named, overlap
from sparsetol_suites.scoring.scorer import Scorer
from sparsetol_suites.scoring.share import share
from sparsetol_suites.scoring.text import words

__all__ = [
    "SCORERS",
    "Scorer",
    "choice",
    "contains",
    "exact",
    "f1",
    "find_answer",
    "iou",
    "letters",
    "lines",
    "named",
    "numbered",
    "overlap",
    "share",
    "words",
]

SCORERS: dict[str, Scorer] = {
    "choice": choice,
    "contains": contains,
    "exact": exact,
    "f1": f1,
    "iou": iou,
    "share": share,
}
