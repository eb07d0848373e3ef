"""Climbing a ladder: every group's levels in ascending order, each until one is not shown, and those of the mix.

A group goes on while its p-value is at most alpha: the largest share that it can get in the end (see
`statistics.fixed_sequences`). So a ladder depends on no other, can be climbed by any worker in any order, and picks up
where it was stopped; which levels are shown is settled when all ladders are climbed.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Sequence

import numpy as np

from pytest_sparsetol.answering import answer
from pytest_sparsetol.cells import MIX, Cell, planned_items
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.engine.policy import DENSE
from pytest_sparsetol.errors import BaselineError
from pytest_sparsetol.items import Progress
from pytest_sparsetol.result import CellResult, Evidence, lost, points
from pytest_sparsetol.runner import Inputs, Runner, compare
from pytest_sparsetol.statistics import Plan, decide_mix
from pytest_sparsetol.statistics.limits import exceedance
from pytest_sparsetol.statistics.p_value import cell_p_value, mix_p_value
from pytest_sparsetol.statistics.sample import collect
from pytest_sparsetol.sweep.finished import FinishedCells, cell_key
from pytest_sparsetol.sweep.identity import identity
from pytest_sparsetol.sweep.ladder import Ladder
from pytest_sparsetol.sweep.outcome import LadderResult, Tested

DENSE_ITEMS = 4
"""Timed dense, of each group: one batch at least."""


def climb(
    runner: Runner,
    finished: FinishedCells,
    contract: Contract,
    ladder: Ladder,
    node_id: str,
    progress: Progress,
    until: float = math.inf,
) -> LadderResult:
    """Test a ladder's groups and mix at each level as long as something may be shown.

    A group whose own levels have ended is run further up as long as the mix may be shown there, which needs it. Once
    the mix has ended, a cell stops as soon as it could not be shown even if the rest of its items lost nothing.
    Nothing is begun after `until`, a time of `time.monotonic`; what is finished then counts.

    Raises:
        SparsetolError: a cell cannot be run.

    """
    alpha = 1 - contract.spec.gate.confidence
    tested: list[Tested] = []
    dense_seconds: dict[str, float] = {}
    dense_memory: dict[str, int | None] = {}
    going = dict.fromkeys(contract.spec.mix, True)
    mix_going = True
    seconds, kept, cut = 0.0, 0, False
    for level in ladder.levels:
        at_level = ladder.at(contract, level)
        here: dict[str, Tested] = {}
        for group in contract.spec.mix:
            if not (going[group] or mix_going):
                continue
            cell = Cell(ladder.policy.name, group, ladder.length)
            inputs = runner.inputs(at_level, cell, node_id, progress)
            stored = _known(at_level, cell, level, inputs, finished, curtailed=not mix_going)
            cut = stored is None and time.monotonic() > until
            if cut:
                break
            if group not in dense_seconds and inputs.decided is None:
                dense_seconds[group], dense_memory[group] = _time_dense(at_level, inputs)
            here[group] = stored or _test(
                at_level, cell, level, inputs, finished, _at(progress, f"{level:g} {group}"), curtailed=not mix_going
            )
            seconds += (here[group].seconds_per_item or 0.0) * here[group].items
            kept += stored is not None and inputs.decided is None
            going[group] = going[group] and here[group].p_value <= alpha
            if mix_going and here[group].evidence is None:
                # Without a group the mix cannot be shown, neither here nor further up.
                mix_going = False
        tested += here.values()
        if mix_going and not cut and len(here) == len(going):
            tested.append(_test_mix(at_level, here, level))
            mix_going = tested[-1].p_value <= alpha
        if cut or not (mix_going or any(going.values())):
            break
    engine = runner.engine(contract)
    return LadderResult(
        node_id=node_id,
        policy=ladder.policy.name,
        length=ladder.length,
        tested=tested,
        dense_seconds=dense_seconds,
        dense_memory=dense_memory,
        identity=identity(contract, engine),
        circumstances=engine.versions(),
        seconds=seconds,
        kept=kept,
        cut=cut,
    )


def _known(
    contract: Contract, cell: Cell, level: float, inputs: Inputs, finished: FinishedCells, *, curtailed: bool
) -> Tested | None:
    """One group at one level where it is decided without an answer, or was finished before."""
    if inputs.decided is not None and inputs.decided.verdict == "ERROR":
        raise BaselineError(inputs.decided.reason)
    if inputs.decided is not None:
        return _untested(inputs.decided, level)
    stored = finished.load(cell_key(contract, cell, inputs, curtailed=curtailed))
    return None if stored is None else _tested(*stored, level, len(inputs.prepared))


def _test(
    contract: Contract,
    cell: Cell,
    level: float,
    inputs: Inputs,
    finished: FinishedCells,
    progress: Progress,
    *,
    curtailed: bool,
) -> Tested:
    """Run one group at one level, and keep what it came to."""
    threshold, alpha = inputs.base.threshold, 1 - contract.spec.gate.confidence
    clusters = [entry.item.cluster for entry in inputs.prepared]
    hopeless = functools.partial(_hopeless, clusters, threshold, alpha) if curtailed else None
    result, evidence = compare(contract, cell, inputs, progress, hopeless)
    finished.save(cell_key(contract, cell, inputs, curtailed=curtailed), result, evidence)
    return _tested(result, evidence, level, len(inputs.prepared))


def _tested(result: CellResult, evidence: Evidence, level: float, planned: int) -> Tested:
    # A level that did not act as declared, or stopped before its look, counts as not shown.
    whole = result.items == planned and result.verdict != "NOT_EXERCISED"
    return dataclasses.replace(
        _untested(result, level),
        p_value=cell_p_value(evidence.differences, result.threshold, evidence.clusters) if whole else 1.0,
        items=result.items,
        losses=sum(value > 0 for value in evidence.differences),
        gains=sum(value < 0 for value in evidence.differences),
        degradation=result.degradation,
        upper=result.upper,
        sparse_score=result.sparse_score,
        measured_sparsity=result.measured_sparsity,
        loaded_sparsity=result.loaded_sparsity,
        seconds_per_item=result.seconds_per_item,
        peak_memory=result.peak_memory,
        backend=result.backend,
        evidence=None if result.verdict == "NOT_EXERCISED" else evidence,
    )


def _untested(result: CellResult, level: float) -> Tested:
    return Tested(
        group=result.group,
        sparsity=level,
        verdict=result.verdict,
        reason=result.reason,
        p_value=1.0,
        threshold=result.threshold,
        dense_score=result.dense_score,
    )


def _test_mix(contract: Contract, here: dict[str, Tested], level: float) -> Tested:
    gate, weights = contract.spec.gate, contract.spec.mix
    evidence = {group: one.evidence for group, one in here.items() if one.evidence is not None}
    plans = {group: Plan(planned_items(contract, group)) for group in weights}
    threshold = gate.mix_threshold()
    decision = decide_mix(evidence, weights, threshold, gate.confidence, plans)
    return Tested(
        group=MIX,
        sparsity=level,
        verdict=decision.verdict,
        reason=f"{lost(decision.mean)} of the mix (allowed {points(threshold)}, n={decision.items})",
        p_value=mix_p_value(evidence, weights, threshold, plans),
        threshold=threshold,
        items=decision.items,
        degradation=decision.mean,
        upper=decision.upper,
    )


def _hopeless(clusters: Sequence[str], threshold: float, alpha: float, seen: Sequence[float], planned: int) -> bool:
    """Whether the level would not be shown even at all of alpha if the rest of its items lost nothing."""
    if not any(value > 0 for value in seen):
        return False
    sample = collect([*seen, *([0.0] * (planned - len(seen)))], clusters)
    return bool(exceedance(sample, np.array([threshold]))[0] > alpha)


def _time_dense(contract: Contract, inputs: Inputs) -> tuple[float, int | None]:
    """Seconds of a dense answer and peak memory, from the first items."""
    size = contract.spec.model.batch_size
    few = inputs.prepared[: max(DENSE_ITEMS, size)]
    inputs.engine.reset_peak_memory()
    begun = time.monotonic()
    for _ in answer(inputs.engine, few, DENSE, size):
        pass
    return (time.monotonic() - begun) / len(few), inputs.engine.peak_memory()


def _at(progress: Progress, place: str) -> Progress:
    def show(stage: str, done: int, total: int, loss: float | None) -> None:
        progress(f"{place}: {stage}", done, total, loss)

    return show
