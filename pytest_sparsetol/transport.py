"""Results on their way from the process that made them to the one that reports, as part of pytest's own reports."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pytest_sparsetol.result import CellResult, Evidence, MixResult

if TYPE_CHECKING:
    from pytest_sparsetol.session import GateSession

_ATTRIBUTE = "sparsetol"
_OWNERS = "sparsetol_owners"


def attach(report: Any, session: GateSession, node_id: str) -> None:
    """Put what the session knows of a node onto its report, as plain values that pytest-xdist can send."""
    if node_id in session.results:
        parts: dict[str, Any] = {"cell": session.results[node_id], "evidence": session.evidence[node_id]}
    elif node_id in session.mixes:
        parts = {"mix": session.mixes[node_id]}
    elif node_id in session.ladders:
        parts = {"ladder": session.ladders[node_id]}
    else:
        return
    setattr(report, _ATTRIBUTE, {name: dataclasses.asdict(part) for name, part in parts.items()})


def attach_owners(report: Any, session: GateSession) -> None:
    """Tell with a cell's first report which shard runs which cells: it arrives even if the cell's worker dies."""
    if session.shard is not None:
        setattr(report, _OWNERS, session.shard.owners)


def take_owners(report: Any, session: GateSession) -> None:
    """Keep what such a report tells."""
    if session.shard is not None and hasattr(report, _OWNERS):
        session.shard = dataclasses.replace(session.shard, owners=dict(getattr(report, _OWNERS)))


def is_attached(report: Any) -> bool:
    """Whether a report brings a result."""
    return hasattr(report, _ATTRIBUTE)


def take(report: Any, session: GateSession) -> None:
    """Keep the result that a report brings."""
    parts = getattr(report, _ATTRIBUTE)
    if "cell" in parts:
        session.keep(CellResult(**parts["cell"]), Evidence(**parts["evidence"]))
    elif "ladder" in parts:
        from pytest_sparsetol.sweep.outcome import from_plain

        ladder = from_plain(parts["ladder"])
        session.ladders[ladder.node_id] = ladder
    else:
        mix = MixResult(**parts["mix"])
        session.mixes[mix.node_id] = mix
