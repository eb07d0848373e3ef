"""Shards: which machine of a CI job runs which cells. Mixes are decided by `sparsetol merge`, which sees all cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_sparsetol.errors import ShardError


@dataclass(frozen=True)
class Shard:
    """One part of a run.

    Attributes:
        index: which part, from 1.
        of: number of parts.
        owners: part that each cell of the whole run belongs to, by node id, in the order of the run; 0 for a mix.

    """

    index: int
    of: int
    owners: dict[str, int] = field(default_factory=dict)

    def owns(self, node_id: str) -> bool:
        """Whether a cell is to run here."""
        return self.owners.get(node_id) == self.index


def parse_shard(text: str) -> Shard:
    """`2/8` as the second of eight parts; raises `ShardError`."""
    index, slash, of = text.partition("/")
    if not (slash and index.isascii() and index.isdigit() and of.isascii() and of.isdigit()):
        raise ShardError(f"--sparsetol-shard {text!r}: write PART/PARTS, such as 2/8")
    if not 1 <= int(index) <= int(of):
        raise ShardError(f"--sparsetol-shard {text!r}: the part must be from 1 to {of}")
    return Shard(int(index), int(of))


def assign(costs: Mapping[str, float], of: int) -> dict[str, int]:
    """Deal cells to parts so that the parts cost about the same: the dearest first, each to the part that has least.

    Args:
        costs: of each cell by node id, in the order of the run.
        of: number of parts.

    """
    loads = [0.0] * of
    owners: dict[str, int] = {}
    for node_id in sorted(costs, key=lambda node_id: -costs[node_id]):
        part = loads.index(min(loads))
        loads[part] += costs[node_id]
        owners[node_id] = part + 1
    return {node_id: owners[node_id] for node_id in costs}
