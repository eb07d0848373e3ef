"""What is assumed about a cell before it runs: how much its differences vary and what an item costs.

In this order: what an earlier run of the same cell showed, what the stored dense outcomes say, and a plain guess. The
text that goes with each says which it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sparsetol_suites.suite import SuiteTask

from pytest_sparsetol.baseline import BaselineStore, Header, Row
from pytest_sparsetol.cells import Cell
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.result import Evidence

GUESS = 0.05
"""Share of items whose score a safe policy changes, where nothing is known."""
SHARE = 0.5
"""How much differences of a safe cell vary, as a share of how dense scores do: unrelated answers would vary twice."""
ENOUGH = 20
"""Items that an earlier run must have of a cell to say how much its differences vary."""


@dataclass(frozen=True)
class Variation:
    """How much the differences of a safe cell vary.

    Attributes:
        variance: of a draw's difference; a draw is an item, or a document where items share them.
        size: mean items of a draw.
        basis: where it comes from.
        seen: whether this very cell was run; otherwise it is the same for all deployments.

    """

    variance: float
    size: float
    basis: str
    seen: bool = False


@dataclass(frozen=True)
class Cost:
    """What an item takes.

    Attributes:
        seconds: wall time of an item, None where unknown.
        basis: where it comes from.
        seen: whether this very cell was run; otherwise it is the same for all deployments.

    """

    seconds: float | None
    basis: str
    seen: bool = False


def variation_guessed(why: str) -> Variation:
    """A plain guess, and why nothing is known."""
    return Variation(GUESS, 1.0, f"{100 * GUESS:g} % of the scores change (a guess: {why})")


def variation_from_baselines(contract: Contract, cell: Cell) -> Variation:
    """From the dense scores of the cell's tasks, where some are stored; raises `BaselineError` as `dense_rows` does."""
    parts = [rows for rows in dense_rows(contract, cell).values() if rows]
    if not parts:
        return variation_guessed("no baseline is stored")
    # Tasks share a cell's items evenly, and each mean is its own.
    within = [_smoothed([row.score for row in rows]) for rows in parts]
    items = sum(map(len, parts))
    return Variation(
        SHARE * sum(within) / len(within), 1.0, f"differences vary half as much as the {items} stored dense scores"
    )


def variation_from_evidence(evidence: Evidence) -> Variation | None:
    """From paired outcomes of an earlier run, None where they are too few."""
    count = len(evidence.differences)
    if count < ENOUGH:
        return None
    mean = math.fsum(evidence.differences) / count
    totals: dict[str, float] = {}
    for difference, cluster in zip(evidence.differences, evidence.clusters, strict=True):
        totals[cluster] = totals.get(cluster, 0.0) + difference - mean
    size = count / len(totals)
    squares = math.fsum((total / size) ** 2 for total in totals.values())
    # One change more than was seen: that none was seen does not say that there are none.
    variance = min((squares + 1) / (len(totals) + 2), 1.0)
    return Variation(variance, size, f"as in the earlier run ({count} items)", seen=True)


def cost_from_baselines(contract: Contract, cell: Cell) -> Cost:
    """From the time that recording took, where it is stored; raises `BaselineError` as `dense_rows` does."""
    seconds = [
        header.recorded.seconds_per_item
        for task in contract.suite.of_group(cell.group)
        for header, _ in _stored(contract, task, cell.length)
        if header.recorded.seconds_per_item is not None
    ]
    if not seconds:
        return Cost(None, "not known (no baseline says; give an earlier run with --report)")
    return Cost(sum(seconds) / len(seconds), "that of dense items, as recorded")


def dense_rows(contract: Contract, cell: Cell) -> dict[str, list[Row]]:
    """Stored dense outcomes of the cell's tasks, by the task's name; raises `BaselineError` where one is damaged."""
    return {
        task.name: [row for _, rows in _stored(contract, task, cell.length) for row in rows]
        for task in contract.suite.of_group(cell.group)
    }


def _stored(contract: Contract, task: SuiteTask, length: int) -> list[tuple[Header, list[Row]]]:
    return BaselineStore(contract.baselines, contract.suite.name).stored(task.name, length, task.fingerprint)


def _smoothed(scores: Sequence[float]) -> float:
    """Variance of scores in [0, 1] with one right and one wrong answer more than were seen."""
    count = len(scores) + 2
    mean = (math.fsum(scores) + 1) / count
    return (math.fsum(score * score for score in scores) + 1) / count - mean * mean
