"""From a model's reply to a score: find the answer in it, then compare.

Each scorer takes the reference answers and the answer's text and gives a `Score`; `SCORERS` names those that a suite
may choose. What holds no answer counts 0 and is reported as missing.
"""

from __future__ import annotations

from sparsetol_suites.scoring.answer import find_answer
from sparsetol_suites.scoring.names import named, overlap
from sparsetol_suites.scoring.scorers import SCORERS, Scorer, contains, f1
from sparsetol_suites.scoring.text import words

__all__ = ["SCORERS", "Scorer", "contains", "f1", "find_answer", "named", "overlap", "words"]
