"""Verdicts on paired differences: exact limits, sequential tests, mixes, planning.

Nothing is imported before it is asked for: collecting a contract needs the plain arithmetic of `planning` and must
import neither numpy nor scipy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sparsetol.statistics.cell import decide as decide
    from pytest_sparsetol.statistics.decision import Decision as Decision
    from pytest_sparsetol.statistics.errors import EvidenceError as EvidenceError
    from pytest_sparsetol.statistics.mix import decide_mix as decide_mix
    from pytest_sparsetol.statistics.plan import Plan as Plan
    from pytest_sparsetol.statistics.planning import items_to_pass as items_to_pass
    from pytest_sparsetol.statistics.sequential import Sequential as Sequential

_HOMES = {
    "Decision": "decision",
    "EvidenceError": "errors",
    "Plan": "plan",
    "Sequential": "sequential",
    "decide": "cell",
    "decide_mix": "mix",
    "items_to_pass": "planning",
}


def __getattr__(name: str) -> object:
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
