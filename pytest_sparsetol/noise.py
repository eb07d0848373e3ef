"""The noise floor: how much dense differs from itself when only the batch or the attention library changes.

Measured while a baseline is recorded, on a sample of its items. A threshold below what dense does to itself cannot be a
statement about sparsity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_sparsetol.result import NoiseFloor, points

SAMPLE = 16
"""Items of a task that are answered again."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Noise:
    """Dense against dense on items of one task.

    Attributes:
        differences: score in the run's way minus score in the other way, an item each, by what the other way is called.

    """

    differences: Mapping[str, Sequence[float]]


def floor(parts: Sequence[Noise]) -> NoiseFloor:
    """The noise floor of a cell from its tasks: of each other way the mean distance of scores, the largest counts.

    The floor is the lower limit of that mean, so that one item of a few that flips does not refuse a contract.
    """
    from pytest_sparsetol.statistics.limits import lower_limit
    from pytest_sparsetol.statistics.sample import collect

    found = NoiseFloor(between=None, items=0, differ=0, mean=0.0, floor=0.0)
    for way in sorted({name for part in parts for name in part.differences}):
        distances = [abs(value) for part in parts for value in part.differences.get(way, ())]
        # Distances lie in [0, 1], limits are for [-1, 1].
        lower = lower_limit(collect([2 * value - 1 for value in distances]), 1 - CONFIDENCE)
        one = NoiseFloor(
            between=way,
            items=len(distances),
            differ=sum(value > 0 for value in distances),
            mean=sum(distances) / len(distances),
            floor=max(0.0, (1 + lower) / 2),
        )
        if found.between is None or (one.floor, one.mean) > (found.floor, found.mean):
            found = one
    return found


def refusal(noise: NoiseFloor | None, threshold: float) -> str | None:
    """Why a threshold is refused, None where it is not."""
    if noise is None or noise.floor <= threshold:
        return None
    return (
        f"the allowed {points(threshold)} points are below the noise floor: dense itself ({noise.between}) differs by "
        f"at least {points(noise.floor)} points on average (it does on {noise.differ} of {noise.items} items, "
        f"confidence {CONFIDENCE:g}); allow more, or make the model's answers repeatable and record anew"
    )
