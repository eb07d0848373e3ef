"""The scorers that suites can name: those shipped, and those of other packages' entry points."""

from __future__ import annotations

from importlib.metadata import entry_points

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.located_yaml import nearest
from sparsetol_suites.scoring import SCORERS, Scorer

ENTRY_POINTS = "sparsetol.scorers"


def known_scorers() -> tuple[str, ...]:
    """Names of all scorers."""
    return tuple(dict.fromkeys((*SCORERS, *(point.name for point in entry_points(group=ENTRY_POINTS)))))


def scorer_named(name: str) -> Scorer:
    """The scorer of that name; a shipped one goes before another package's.

    Raises `SuiteError` with the nearest known name, or where the other package's cannot be imported.
    """
    if name in SCORERS:
        return SCORERS[name]
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == name:
            try:
                found: Scorer = point.load()
            except (ImportError, AttributeError) as error:
                raise SuiteError(f"scorer {name!r} cannot be imported from {point.value}: {error}") from None
            return found
    raise SuiteError(f"scorer: no scorer {name!r}; {nearest(name, known_scorers())}")
