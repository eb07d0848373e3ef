"""The cells of a shard among all that pytest selected."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_sparsetol.cells import planned_items
from pytest_sparsetol.collect import CellItem
from pytest_sparsetol.distributed.shards import assign
from pytest_sparsetol.keys import SESSION_KEY


def leave_to_others(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the cells of other shards, and mixes; other tests stay.

    Parts follow from what was selected alone, so that machines that are given the same options agree.
    """
    chosen = [item for item in items if isinstance(item, CellItem)]
    if not chosen:
        return
    session = config.stash[SESSION_KEY]
    if session.shard is None:
        return
    costs = {
        item.nodeid: float(planned_items(item.contract, item.cell.group) * item.cell.length)
        for item in chosen
        if not item.cell.is_mix
    }
    parts = assign(costs, session.shard.of)
    owners = {item.nodeid: parts.get(item.nodeid, 0) for item in chosen}
    shard = dataclasses.replace(session.shard, owners=owners)
    session.shard = shard
    others = [item for item in chosen if not shard.owns(item.nodeid)]
    left = {item.nodeid for item in others}
    items[:] = [item for item in items if item.nodeid not in left]
    config.hook.pytest_deselected(items=others)
