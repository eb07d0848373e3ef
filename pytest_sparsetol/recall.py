"""Evidence recall of a cell: its items' facts, averaged, in their order and by depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_sparsetol.methods.base import PHASES, Phase

if TYPE_CHECKING:
    from pytest_sparsetol.engine.evidence import FactRecall
    from pytest_sparsetol.result import EvidenceRecalls

MOST_IN_ORDER = 8
"""Facts that are told apart by their order in the item; aggregates have hundreds."""

DEPTHS = 4
"""Equal parts of the prompt."""


@dataclass
class RecallTable:
    """Facts of the items that ran, by phase and item."""

    _items: dict[Phase, list[list[FactRecall]]] = field(default_factory=dict)

    def add(self, facts: dict[Phase, list[FactRecall]]) -> None:
        """Take in one item."""
        for phase, found in facts.items():
            self._items.setdefault(phase, []).append(found)

    def summary(self) -> EvidenceRecalls:
        """By phase: `mean` and `best` (the head that has most of a fact), facts averaged in each item, then items.

        `facts` counts the facts of all items. `by_order` has the facts in the order of the items, hop by hop where
        there are hops, up to the eighth; `by_depth` those that begin in each quarter of the prompt. Their entries are
        averages over facts with `mean`, `best` and `facts`, null in a quarter without any.
        """
        return {phase: _summary(self._items[phase]) if phase in self._items else None for phase in PHASES}


def _summary(items: Sequence[Sequence[FactRecall]]) -> dict[str, Any]:
    facts = [fact for item in items for fact in item]
    each = [_average(item) for item in items]
    most = min(MOST_IN_ORDER, max(map(len, items)))
    return {
        "mean": sum(entry["mean"] for entry in each) / len(each),
        "best": sum(entry["best"] for entry in each) / len(each),
        "facts": len(facts),
        "by_order": [_average([item[order] for item in items if order < len(item)]) for order in range(most)],
        "by_depth": [
            _average(inside) if inside else None
            for inside in ([fact for fact in facts if int(fact.depth * DEPTHS) == quarter] for quarter in range(DEPTHS))
        ],
    }


def _average(facts: Sequence[FactRecall]) -> dict[str, float]:
    return {
        "mean": sum(fact.mean for fact in facts) / len(facts),
        "best": sum(fact.best for fact in facts) / len(facts),
        "facts": len(facts),
    }
