"""The order in which a run uses records."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def in_rounds(records: Sequence[T], clusters: Sequence[str], seed: int) -> list[T]:
    """A permutation of the records by `seed`, the same at every length and on every machine.

    Each round takes one record of every cluster that has some left, so that as many of the first records as can be
    are independent of each other.
    """
    rng = Random(f"records/{seed}")
    by_cluster: dict[str, list[T]] = {}
    for record, cluster in zip(records, clusters, strict=True):
        by_cluster.setdefault(cluster, []).append(record)
    for members in by_cluster.values():
        rng.shuffle(members)
    order: list[T] = []
    while by_cluster:
        names = list(by_cluster)
        rng.shuffle(names)
        for name in names:
            order.append(by_cluster[name].pop())
            if not by_cluster[name]:
                del by_cluster[name]
    return order
