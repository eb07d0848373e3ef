"""Where facts are put: evenly over the depth of the context, within an item and over items."""

from __future__ import annotations

import math
from random import Random

_GOLDEN = (math.sqrt(5) - 1) / 2


def depths(count: int, index: int, rng: Random) -> list[float]:
    """Depths in [0, 1) for `count` facts, in the order of the facts.

    Each fact gets a stratum of its own, in random order; its place in the stratum follows the golden ratio over the
    items' indexes, so that the depths of any run of items are spread evenly.
    """
    strata = list(range(count))
    rng.shuffle(strata)
    return [(stratum + (index * _GOLDEN + order / count) % 1) / count for order, stratum in enumerate(strata)]


def places(count: int, index: int, rng: Random, slots: int) -> list[int]:
    """`count` different slots of `slots`, one a fact in the facts' order, spread as `depths` are."""
    if count > slots:
        raise ValueError(f"{count} facts do not fit into {slots} places")
    chosen: list[int] = []
    taken: set[int] = set()
    for depth in depths(count, index, rng):
        slot = int(depth * slots)
        while slot in taken:
            slot = (slot + 1) % slots
        taken.add(slot)
        chosen.append(slot)
    return chosen
