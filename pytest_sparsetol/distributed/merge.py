"""Several shards' reports made one: each cell from the shard that ran it, and the mixes decided on all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pytest_sparsetol.distributed.shards import Shard
from pytest_sparsetol.errors import ReportError
from pytest_sparsetol.mixing import weigh
from pytest_sparsetol.report.jsonfile import Report
from pytest_sparsetol.result import CellResult, Evidence, MixResult, Verdict


def merge(named: Mapping[str, Report]) -> Report:
    """The report of the whole run. Cells of a missing shard are UNTESTED.

    Args:
        named: reports by the name that errors call them.

    Raises:
        ReportError: a report of no shard, shards of different runs or contracts, or one shard twice.

    """
    shards = {name: _shard(name, report) for name, report in named.items()}
    _check(named, shards)
    first = next(iter(named.values()))
    by_index = {shards[name].index: report for name, report in named.items()}
    of, owners = next(iter(shards.values())).of, next(iter(shards.values())).owners
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
            (left_out,) = [cell for cell in first.cells if cell.node_id == node_id]
            cells[node_id] = dataclasses.replace(left_out, reason=f"shard {owner}/{of} is missing")
            evidence[node_id] = Evidence([], [], [])
    mixes = [_weigh(mix, first, cells, evidence) for mix in first.mixes]
    return Report(list(cells.values()), mixes, evidence, first.contracts, None)


def _shard(name: str, report: Report) -> Shard:
    if report.shard is None:
        raise ReportError(f"{name} is no shard's report; --sparsetol-shard PART/PARTS with --sparsetol-json writes one")
    return report.shard


def _check(named: Mapping[str, Report], shards: Mapping[str, Shard]) -> None:
    first = next(iter(named))
    indices: dict[int, str] = {}
    for name, shard in shards.items():
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
    mix: MixResult, report: Report, cells: Mapping[str, CellResult], evidence: Mapping[str, Evidence]
) -> MixResult:
    """Decide a mix from the cells of all shards."""
    terms = report.contracts[mix.node_id.partition("::")[0]]
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
