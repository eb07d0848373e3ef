"""The cells of a shard among all that pytest selected."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from pytest_sparsetol.cells import planned_items
from pytest_sparsetol.collect import CellItem
from pytest_sparsetol.distributed.shards import assign
from pytest_sparsetol.keys import SESSION_KEY
from pytest_sparsetol.model_files import ModelFiles
from pytest_sparsetol.model_size import parameters


def leave_to_others(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the cells of other shards, and mixes; other tests stay.

    Parts follow from what was selected and the models' files alone, so that machines that are given the same options
    agree.
    """
    chosen = [item for item in items if isinstance(item, CellItem)]
    if not chosen:
        return
    session = config.stash[SESSION_KEY]
    if session.shard is None:
        return
    costs = _costs([item for item in chosen if not item.cell.is_mix])
    parts = assign(costs, session.shard.of)
    owners = {item.nodeid: parts.get(item.nodeid, 0) for item in chosen}
    shard = dataclasses.replace(session.shard, owners=owners)
    session.shard = shard
    others = [item for item in chosen if not shard.owns(item.nodeid)]
    left = {item.nodeid for item in others}
    items[:] = [item for item in items if item.nodeid not in left]
    config.hook.pytest_deselected(items=others)


def _costs(cells: Sequence[CellItem]) -> dict[str, float]:
    """Planned items x tokens of a prompt x parameters of the model, by node id."""
    sizes = _sizes([item.contract.model for item in cells])
    return {
        item.nodeid: planned_items(item.contract, item.cell.group) * item.cell.length * sizes[item.contract.model]
        for item in cells
    }


def _sizes(models: Sequence[ModelFiles]) -> dict[ModelFiles, float]:
    """Parameters of each model; one that does not say counts as the mean of those that do."""
    found = {model: parameters(model) for model in dict.fromkeys(models)}
    known = [size for size in found.values() if size is not None]
    mean = sum(known) / len(known) if known else 1.0
    return {model: mean if size is None else float(size) for model, size in found.items()}
