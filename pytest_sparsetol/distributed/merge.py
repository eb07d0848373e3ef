"""Several shards' reports made one: each cell from the shard that ran it, and the mixes decided on all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from pytest_sparsetol.distributed.shards import Shard
from pytest_sparsetol.errors import ReportError
from pytest_sparsetol.mixing import Terms, weigh
from pytest_sparsetol.report.jsonfile import Report
from pytest_sparsetol.result import CellResult, Evidence, MixResult, Verdict

T = TypeVar("T", CellResult, MixResult)


def merge(named: Mapping[str, Report]) -> Report:
    """The report of the whole run. Cells of a missing shard are UNTESTED.

    Args:
        named: reports by the name that errors call them.

    Raises:
        ReportError: a report of no shard or no cell, shards of different runs or contracts, one shard twice, or a cell
            or mix that no report tells of.

    """
    shards = {name: _shard(name, report) for name, report in named.items()}
    _check(named, shards)
    by_index = {shards[name].index: report for name, report in named.items()}
    of, owners = next(iter(shards.values())).of, next(iter(shards.values())).owners
    contracts = next(iter(named.values())).contracts
    cells: dict[str, CellResult] = {}
    evidence: dict[str, Evidence] = {}
    for node_id, owner in owners.items():
        if owner in by_index:
            report = by_index[owner]
            own = {cell.node_id: cell for cell in report.cells if cell.node_id == node_id}
            if not own:
                raise ReportError(
                    f"the report of shard {owner}/{of} lacks {node_id}, which that shard ran; run it again"
                )
            cells.update(own)
            evidence[node_id] = report.evidence.get(node_id, Evidence([], [], []))
        elif owner:
            left_out = _any_of(node_id, (cell for report in named.values() for cell in report.cells))
            cells[node_id] = dataclasses.replace(left_out, reason=f"shard {owner}/{of} is missing")
            evidence[node_id] = Evidence([], [], [])
    undecided = [
        _any_of(node_id, (mix for report in named.values() for mix in report.mixes))
        for node_id, owner in owners.items()
        if not owner
    ]
    mixes = [_weigh(mix, contracts, cells, evidence) for mix in undecided]
    errors = [f"shard {index}/{of}: {error}" for index, report in by_index.items() for error in report.errors]
    return Report(list(cells.values()), mixes, evidence, contracts, None, errors)


def _any_of(node_id: str, results: Iterable[T]) -> T:
    """A cell that no report has run, or a mix that none has decided: all tell the same of it."""
    found = next((result for result in results if result.node_id == node_id), None)
    if found is None:
        raise ReportError(f"no report tells of {node_id}, which the run was to decide; run the shards again")
    return found


def _shard(name: str, report: Report) -> Shard:
    if report.shard is None:
        raise ReportError(f"{name} is no shard's report; --sparsetol-shard PART/PARTS with --sparsetol-json writes one")
    return report.shard


def _check(named: Mapping[str, Report], shards: Mapping[str, Shard]) -> None:
    first = next(iter(named))
    indices: dict[int, str] = {}
    for name, shard in shards.items():
        errors = "".join(f": {error}" for error in named[name].errors[:1])
        if not shard.owners:
            raise ReportError(f"{name} holds no cell{errors}")
        for path in dict.fromkeys(node_id.partition("::")[0] for node_id in shard.owners):
            if path not in named[name].contracts:
                raise ReportError(f"{name} lacks the terms that decide the mixes of {path}{errors}")
        if shard.of != shards[first].of:
            raise ReportError(f"{first} is one of {shards[first].of} shards, {name} one of {shard.of}")
        if shard.index in indices:
            raise ReportError(f"{indices[shard.index]} and {name} are both shard {shard.index}/{shard.of}")
        indices[shard.index] = name
        if shard.owners != shards[first].owners:
            raise ReportError(f"{first} and {name} are of different runs: their cells are not the same")
        if named[name].contracts != named[first].contracts:
            raise ReportError(f"{first} and {name} ran different contracts, or different profiles of one")


def _weigh(
    mix: MixResult, contracts: Mapping[str, Terms], cells: Mapping[str, CellResult], evidence: Mapping[str, Evidence]
) -> MixResult:
    """Decide a mix from the cells of all shards."""
    terms = contracts[mix.node_id.partition("::")[0]]
    nodes = {group: node for group, node in _nodes(mix).items() if node in cells}
    problems: dict[str, tuple[Verdict, str]] = {
        group: ("UNTESTED", "it was deselected") for group in mix.groups if group not in nodes
    }
    return weigh(
        mix,
        {group: cells[node] for group, node in nodes.items()},
        {group: evidence[node] for group, node in nodes.items()},
        problems,
        terms,
    )


def _nodes(mix: MixResult) -> dict[str, str]:
    """Node ids of the mix's groups: `.../mix[2k]` beside `.../single_qa[2k]`."""
    prefix, _, name = mix.node_id.rpartition("::")
    return {group: f"{prefix}::{group}{name.removeprefix('mix')}" for group in mix.groups}


def order(report: Report) -> Sequence[CellResult | MixResult]:
    """Cells and mixes, those of a deployment together, mixes last."""
    everything: list[CellResult | MixResult] = [*report.cells, *report.mixes]
    deployments = list(dict.fromkeys(result.node_id.rsplit("::", 1)[0] for result in everything))
    return sorted(everything, key=lambda result: deployments.index(result.node_id.rsplit("::", 1)[0]))
