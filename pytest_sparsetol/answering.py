"""Prepared items answered and scored under a policy, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sparsetol_suites.item import Score

from pytest_sparsetol.engine.attention import Pass
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.generate import Generation
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.items import Prepared


@dataclass(frozen=True)
class Answered:
    """An item as the model answered it."""

    score: Score
    generation: Generation


def answer(
    engine: Engine, prepared: Sequence[Prepared], policy: Policy, batch_size: int
) -> Iterator[tuple[list[Answered], Pass]]:
    """Answer and score in order. Which items share a batch follows from their order alone, not from the answers."""
    for begin in range(0, len(prepared), batch_size):
        batch = prepared[begin : begin + batch_size]
        generations, current = engine.answer(
            [entry.ids for entry in batch],
            [entry.task.answer_tokens for entry in batch],
            policy,
            [entry.places for entry in batch],
        )
        yield (
            [
                Answered(entry.task.score(entry.item, engine.text(generation)), generation)
                for entry, generation in zip(batch, generations, strict=True)
            ],
            current,
        )
