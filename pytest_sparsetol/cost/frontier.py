"""Models of one contract side by side: cost against score, and a larger sparse one against a smaller dense one.

It is for information: no verdict rests on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_sparsetol.cells import MIX
from pytest_sparsetol.cost.outcomes import GroupScores, limits, mean, paired
from pytest_sparsetol.result import CellResult, Evidence, MixResult

Axis = Literal["prefill", "decode"]
UNITS: dict[Axis, str] = {"prefill": "FLOPs a prompt", "decode": "bytes a token"}


@dataclass(frozen=True)
class Point:
    """A model under a deployment, or dense.

    Attributes:
        deployment: None for dense.
        cost: of attention and MLP, in the frontier's unit.
        score: mean, a fraction.
        items: that ran; dense ones for dense.
        planned: items planned; more than `items` where a cell stopped early.
        best: whether it is on the Pareto front: nothing else scores as much for less, or more for as much.

    """

    model: str
    deployment: str | None
    cost: float
    score: float
    items: int
    planned: int
    best: bool = False


@dataclass(frozen=True)
class Comparison:
    """A larger model under a sparse deployment against a smaller one that is dense.

    Attributes:
        ratio: cost of the larger one's deployment by that of the smaller one dense.
        difference: score of the larger one less that of the smaller one, a fraction.
        lower: lower limit of the difference; None where a cell stopped early.
        upper: upper limit, likewise.
        confidence: of both limits together, for this comparison alone.
        items: of the larger one.
        paired: whether both models were asked the same items.

    """

    larger: str
    deployment: str
    smaller: str
    ratio: float
    larger_score: float
    smaller_score: float
    difference: float
    lower: float | None
    upper: float | None
    confidence: float
    items: int
    paired: bool


@dataclass(frozen=True)
class Frontier:
    """Cost against score at one length, of one group or of the mix.

    Attributes:
        contract: its path in node ids.
        axis: `prefill` or `decode`: whose cost.
        batch: sequences that share a decoding step, by model.
        points: dearest first.

    """

    contract: str
    length: int
    group: str
    axis: Axis
    unit: str
    batch: dict[str, int]
    points: list[Point]
    comparisons: list[Comparison]


@dataclass(frozen=True)
class _Entry:
    """A point with its scores."""

    model: str
    deployment: str | None
    costs: Mapping[Axis, float]
    batch: int
    axes: frozenset[Axis]
    parts: Sequence[GroupScores]

    @property
    def items(self) -> int:
        return sum(len(part.lost) or len(part.dense) for part in self.parts)

    @property
    def planned(self) -> int:
        return sum(len(part.dense) for part in self.parts)


def frontiers(
    cells: Sequence[CellResult],
    mixes: Sequence[MixResult],
    evidence: Mapping[str, Evidence],
    confidences: Mapping[str, float],
) -> list[Frontier]:
    """One for each contract of several models, length, group (and mix) and phase that a deployment makes sparse.

    Cells without paired scores, or whose sparsity did not act, give no sparse point.

    Args:
        cells: of a run.
        mixes: of the run, for the groups' shares of traffic.
        evidence: paired outcomes, by node id.
        confidences: of the contracts, by their path in node ids.

    """
    found: list[Frontier] = []
    for path, confidence in confidences.items():
        here = [cell for cell in cells if _path(cell) == path and cell.cost and _dense(evidence, cell)]
        if len({cell.model for cell in here}) < 2:
            continue
        weights = next((mix.groups for mix in mixes if _path(mix) == path), {})
        for length in dict.fromkeys(cell.length for cell in here):
            at = [cell for cell in here if cell.length == length]
            groups = {group: {group: 1.0} for group in dict.fromkeys(cell.group for cell in at)}
            for group, shares in (*groups.items(), *([(MIX, weights)] if weights else [])):
                entries = list(_entries(at, evidence, shares))
                for axis in UNITS:
                    found += _frontier(path, length, group, axis, entries, confidence)
    return found


def _dense(evidence: Mapping[str, Evidence], cell: CellResult) -> Sequence[float]:
    return evidence[cell.node_id].dense if cell.node_id in evidence else []


def _path(result: CellResult | MixResult) -> str:
    return result.node_id.partition("::")[0]


def _entries(
    cells: Sequence[CellResult], evidence: Mapping[str, Evidence], shares: Mapping[str, float]
) -> Iterator[_Entry]:
    """Each model dense and under each deployment, where all groups of `shares` are there."""
    for model in dict.fromkeys(cell.model for cell in cells):
        own = [cell for cell in cells if cell.model == model]
        yield from _entry(model, None, own, evidence, shares)
        for deployment in dict.fromkeys(cell.deployment for cell in own):
            acted = [cell for cell in own if cell.deployment == deployment and _acted(cell)]
            yield from _entry(model, deployment, acted, evidence, shares)


def _entry(
    model: str,
    deployment: str | None,
    cells: Sequence[CellResult],
    evidence: Mapping[str, Evidence],
    shares: Mapping[str, float],
) -> Iterator[_Entry]:
    by_group = {cell.group: cell for cell in reversed(cells)}
    if not shares.keys() <= by_group.keys():
        return
    chosen = {group: by_group[group] for group in shares}
    costs: dict[Axis, float] = {"prefill": 0.0, "decode": 0.0}
    batch, axes = 1, set[Axis]()
    for group, cell in chosen.items():
        if cell.cost is None:
            return
        cost, batch = cell.cost, cell.cost.batch
        sparse = deployment is not None
        costs["prefill"] += shares[group] * (cost.prefill_flops if sparse else cost.dense_prefill_flops)
        costs["decode"] += shares[group] * (cost.decode_bytes if sparse else cost.dense_decode_bytes)
        axes |= _axes(cell) if sparse else set(UNITS)
    parts = [
        GroupScores.of(evidence[cell.node_id], shares[group], sparse=deployment is not None)
        for group, cell in chosen.items()
    ]
    yield _Entry(model, deployment, costs, batch, frozenset(axes), parts)


def _acted(cell: CellResult) -> bool:
    return cell.degradation is not None and cell.verdict != "NOT_EXERCISED"


def _axes(cell: CellResult) -> set[Axis]:
    found: set[Axis] = set()
    if cell.methods.get("prefill") is not None:
        found.add("prefill")
    if cell.methods.get("kv") is not None or cell.methods.get("decode") is not None:
        found.add("decode")
    return found


def _frontier(
    path: str, length: int, group: str, axis: Axis, entries: Sequence[_Entry], confidence: float
) -> Iterator[Frontier]:
    there = sorted((entry for entry in entries if axis in entry.axes), key=lambda entry: -entry.costs[axis])
    if all(entry.deployment is None for entry in there) or len({entry.model for entry in there}) < 2:
        return
    scored = [(entry.costs[axis], mean(entry.parts)) for entry in there]
    points = [
        Point(
            entry.model,
            entry.deployment,
            cost,
            score,
            entry.items,
            entry.planned,
            best=not any(_dominates(other, (cost, score)) for other in scored),
        )
        for entry, (cost, score) in zip(there, scored, strict=True)
    ]
    comparisons = [
        _compare(entry, smaller, axis, confidence)
        for entry in there
        if entry.deployment is not None and (smaller := _dense_smaller(entry, there, axis)) is not None
    ]
    batch = {entry.model: entry.batch for entry in there}
    yield Frontier(path, length, group, axis, UNITS[axis], batch, points, comparisons)


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether one of two (cost, score) is at least as good in both and better in one."""
    return one != other and one[0] <= other[0] and one[1] >= other[1]


def _dense_smaller(entry: _Entry, entries: Sequence[_Entry], axis: Axis) -> _Entry | None:
    """Of the smaller models the cheapest that costs, dense, at least as much; the dearest where none does."""
    dense = {other.model: other for other in entries if other.deployment is None}
    smaller = [other for other in dense.values() if other.costs[axis] < dense[entry.model].costs[axis]]
    at_least = [other for other in smaller if other.costs[axis] >= entry.costs[axis]]
    if at_least:
        return min(at_least, key=lambda other: other.costs[axis])
    return max(smaller, key=lambda other: other.costs[axis], default=None)


def _compare(larger: _Entry, smaller: _Entry, axis: Axis, confidence: float) -> Comparison:
    scores = mean(larger.parts), mean(smaller.parts)
    lower, upper = limits(larger.parts, smaller.parts, confidence) or (None, None)
    return Comparison(
        larger=larger.model,
        deployment=str(larger.deployment),
        smaller=smaller.model,
        ratio=larger.costs[axis] / smaller.costs[axis],
        larger_score=scores[0],
        smaller_score=scores[1],
        difference=scores[0] - scores[1],
        lower=lower,
        upper=upper,
        confidence=confidence,
        items=larger.items,
        paired=paired(larger.parts, smaller.parts),
    )
