"""The order in which a run uses records."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Generic, TypeVar

from sparsetol_suites.errors import SuiteError

T = TypeVar("T")


class Orders(Generic[T]):
    """The orders of the same records by seed, each worked out once.

    Args:
        records: all that are asked about.
        clusters: of each.

    """

    def __init__(self, records: Sequence[T], clusters: Sequence[str]) -> None:
        self._records = records
        self._clusters = clusters
        self._known: dict[int, list[T]] = {}

    def at(self, seed: int, index: int) -> T:
        """The record of that place in the seed's order; raises `SuiteError` beyond the last."""
        if index >= len(self._records):
            raise SuiteError(f"item {index} is asked for; there are {len(self._records)} records to ask about")
        if seed not in self._known:
            self._known[seed] = in_rounds(self._records, self._clusters, seed)
        return self._known[seed][index]


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
