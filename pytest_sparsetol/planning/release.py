"""How many items make a safe release green as a whole, and how long they take.

A release is green when every cell and every mix passes, so that each must pass far more often than the whole: the
chances that one of them does not pass are added up (Bonferroni), which holds however cells depend on each other.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pytest_sparsetol import verdict
from pytest_sparsetol.cells import Cell, cells, planned_items
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.planning.assumptions import (
    Cost,
    Variation,
    cost_from_baselines,
    dense_rows,
    variation_from_baselines,
)
from pytest_sparsetol.statistics.power import MOST_DRAWS, power, resolved_by_mix

PRECISE = 0.999
"""Power of a mix is not told apart beyond this."""


@dataclass(frozen=True)
class Known:
    """What an earlier run tells of a cell."""

    variation: Variation | None
    cost: Cost | None


@dataclass(frozen=True)
class Row:
    """A cell of the plan.

    Attributes:
        threshold: allowed loss.
        now: items that the contract plans, of all groups for a mix.
        power_now: how often a safe policy passes with them.
        items: items that the release needs; None where even `MOST_DRAWS` are too few.
        power: how often a safe policy passes with those.
        seconds: that they take, None where unknown; 0 for a mix, which runs nothing.
        variation: how much its differences are taken to vary; None for a mix.
        cost: what an item is taken to take; None for a mix.
        stuck: why the cell cannot pass however many items it has, None where it can.

    """

    cell: Cell
    threshold: float
    now: int
    power_now: float
    items: int | None
    power: float
    seconds: float | None
    variation: Variation | None = None
    cost: Cost | None = None
    stuck: str | None = None


@dataclass(frozen=True)
class ReleasePlan:
    """Items for a whole release.

    Attributes:
        rows: cells and mixes in the order of the contract.
        most: the contract's `gate.items.max` with which the release is green often enough; None if none is.
        wanted: how often it is to be green.
        now: how often it is with the contract's present number, were its cells independent.
        short: tasks that have fewer items than they would need: `name (has 40, needs 90)`.

    """

    rows: Sequence[Row]
    most: int | None
    wanted: float
    now: float
    short: Sequence[str]


def plan_release(
    contracts: Sequence[Contract], wanted: float, known: Mapping[tuple[str, str, int], Known] | None = None
) -> ReleasePlan:
    """Find the fewest items of a group with which a safe release is green with probability `wanted`.

    Args:
        contracts: as it stands, for each of its models.
        wanted: from 0.5 to below 1.
        known: what an earlier run tells, by policy, group and length.

    """
    # Suite, gate and stored outcomes are the file's: cells alone differ from model to model.
    contract = contracts[0]
    everything = [cell for one in contracts for cell in cells(one)]
    stuck = {cell: _stuck(contract, cell, everything) for cell in everything}
    running = [cell for cell in everything if not stuck[cell]]
    varied = {cell: _variation(contract, cell, known or {}) for cell in everything if not cell.is_mix}

    def passing(most: int) -> dict[Cell, float]:
        return {cell: _power(contract, cell, most, varied) for cell in running}

    def misses(most: int) -> float:
        return sum(1 - chance for chance in passing(most).values())

    now = contract.spec.gate.items.max
    low, high = 0, max(now, 1)
    while high < MOST_DRAWS and misses(high) > 1 - wanted:
        low, high = high, min(2 * high, MOST_DRAWS)
    reached = bool(running) and misses(high) <= 1 - wanted
    while reached and high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if misses(middle) <= 1 - wanted else (middle, high)
    most = high if reached else None
    before, after = passing(now), passing(high)
    rows = []
    for cell in everything:
        cost = None if cell.is_mix else _cost(contract, cell, known or {})
        items = _items(contract, cell, high) if most is not None else None
        rows.append(
            Row(
                cell,
                contract.spec.gate.mix_threshold() if cell.is_mix else contract.spec.gate.threshold(cell.group),
                _items(contract, cell, now),
                before.get(cell, 0.0),
                items,
                after.get(cell, 0.0),
                0.0 if cell.is_mix or stuck[cell] else _seconds(cost, items),
                varied.get(cell),
                cost,
                stuck[cell],
            )
        )
    short = [] if most is None else _short(contract, {cell.group for cell in running}, most)
    return ReleasePlan(rows, most, wanted, math.prod(before.values()) if running else 0.0, short)


def _stuck(contract: Contract, cell: Cell, everything: Sequence[Cell]) -> str | None:
    """Why no number of items lets a cell pass, by its stored dense outcomes; a mix is stuck with its groups."""
    if cell.is_mix:
        groups = [one for one in everything if not one.is_mix and _siblings(one, cell)]
        names = [one.group for one in groups if _stuck(contract, one, everything)]
        return f"{', '.join(names)} cannot be tested" if names else None
    tasks = {task.name: task for task in contract.suite.tasks}
    rows = dense_rows(contract, cell)
    if not all(rows.values()):
        return None
    decided = verdict.testable(
        sum(sum(row.score for row in part) / len(part) for part in rows.values()) / len(rows),
        chance=sum(tasks[name].chance for name in rows) / len(rows),
        threshold=contract.spec.gate.threshold(cell.group),
        minimum=contract.spec.gate.min_dense.get(cell.group),
    )
    return None if decided is None else f"{decided[0]}: {decided[1]}"


def _siblings(one: Cell, other: Cell) -> bool:
    return (one.policy, one.length) == (other.policy, other.length)


def _variation(contract: Contract, cell: Cell, known: Mapping[tuple[str, str, int], Known]) -> Variation:
    earlier = known.get((cell.policy, cell.group, cell.length))
    return (earlier.variation if earlier else None) or variation_from_baselines(contract, cell)


def _cost(contract: Contract, cell: Cell, known: Mapping[tuple[str, str, int], Known]) -> Cost:
    earlier = known.get((cell.policy, cell.group, cell.length))
    return (earlier.cost if earlier else None) or cost_from_baselines(contract, cell)


def _items(contract: Contract, cell: Cell, most: int) -> int:
    if cell.is_mix:
        return sum(planned_items(contract, group, most) for group in contract.spec.mix)
    return planned_items(contract, cell.group, most)


def _power(contract: Contract, cell: Cell, most: int, varied: Mapping[Cell, Variation]) -> float:
    gate = contract.spec.gate
    if not cell.is_mix:
        variation, items = varied[cell], planned_items(contract, cell.group, most)
        draws = int(items / variation.size)
        return _cached_power(draws, variation.variance, gate.threshold(cell.group), gate.confidence) if draws else 0.0
    parts = []
    for group, weight in contract.spec.mix.items():
        variation = varied[dataclasses.replace(cell, group=group)]
        parts.append((weight, planned_items(contract, group, most) / variation.size, variation.variance))
    return _mix_power(tuple(parts), gate.mix_threshold(), gate.confidence)


@functools.cache
def _cached_power(draws: int, variance: float, threshold: float, confidence: float) -> float:
    return power(draws, variance, threshold, confidence)


@functools.cache
def _mix_power(parts: tuple[tuple[float, float, float], ...], threshold: float, confidence: float) -> float:
    """How often a safe mix passes: the power at which its groups resolve its threshold together."""

    def shown(wanted: float) -> bool:
        return resolved_by_mix(parts, confidence, wanted) <= threshold

    if not all(draws >= 1 for _, draws, _ in parts):
        return 0.0
    if shown(PRECISE):
        return 1.0
    low, high = 0.0, PRECISE
    while high - low > 0.0005:
        middle = (low + high) / 2
        if middle > 0.01 and not shown(middle):
            high = middle
        else:
            low = middle
    return low if low > 0.01 else 0.0


def _seconds(cost: Cost | None, items: int | None) -> float | None:
    return None if cost is None or cost.seconds is None or items is None else cost.seconds * items


def _short(contract: Contract, groups: Collection[str], most: int) -> list[str]:
    found = []
    for group in contract.spec.mix:
        if group not in groups:
            continue
        tasks = contract.suite.of_group(group)
        for task in tasks:
            there, needs = task.available(), most // len(tasks)
            if there is not None and there < needs:
                found.append(f"{task.name} (has {there}, needs {needs})")
    return found
