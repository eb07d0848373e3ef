"""What a scorer is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sparsetol_suites.item import Score

Scorer = Callable[[Sequence[str], str], Score]
"""From the reference answers and the answer's text, as `find_answer` gives it, to a score."""
