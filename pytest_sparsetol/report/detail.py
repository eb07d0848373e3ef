"""The lines under a failure's headline: what was measured, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sparsetol_suites.lengths import show_length

from pytest_sparsetol.baseline import RECORD_OPTION
from pytest_sparsetol.planning.outlook import RUNS
from pytest_sparsetol.result import CellResult, MixResult, points


def describe_cell(result: CellResult) -> Iterator[str]:
    """Interval, sparsity, replies and how it ran."""
    if result.degradation is not None:
        yield f"  loss         {_interval(result)}"
        yield from _resolution(result)
        yield f"  noise        {_noise(result)}"
        yield f"  sparsity     {sparsity(result)}"
        yield from (f"  method       {phase} {named}" for phase, named in result.methods.items() if named is not None)
        yield from (
            f"  found        {name} {_short(spread['mean'])} on average, {_short(spread['least'])} to "
            f"{_short(spread['most'])}"
            for name, spread in result.found.items()
        )
        yield (
            f"  replies      {100 * (result.missing_rate or 0):.0f} % without an answer, "
            f"{100 * (result.truncated_rate or 0):.0f} % cut off"
        )
        if result.local_layers:
            yield f"  layers       {result.local_layers} of {result.layers} attend within their window and stay dense"
        if result.sparse_steps is not None:
            asked = ", its question's tokens among them" if result.decode_from == "question" else ""
            yield f"  steps        {result.sparse_steps:.1f} sparse decoding steps an item{asked}"
        for phase, recall in result.evidence_recall.items():
            if recall is not None:
                yield f"  evidence     {_recall(phase, recall)}"
        yield f"  ran on       {result.device}, {result.backend}, {result.seconds:.0f} s"
    if RECORD_OPTION in result.reason:
        yield f"  record       pytest {result.node_id.partition('::')[0]} {RECORD_OPTION}"
    yield f"  again        pytest {result.node_id!r}"


def describe_mix(result: MixResult) -> Iterator[str]:
    """Interval, weights, and how to run it with its groups, without which it cannot be decided."""
    if result.degradation is not None:
        yield f"  loss         {_interval(result)}"
        yield from _resolution(result)
    yield f"  traffic      {', '.join(f'{group} {100 * share:g} %' for group, share in result.groups.items())}"
    deployment = result.node_id.rpartition("::")[0]
    yield f"  again        pytest {deployment!r} -k '[{show_length(result.length)}]'"


def _recall(phase: str, recall: dict[str, Any]) -> str:
    """`decode kept 0.43 of the needed tokens (best head 0.98); fact by fact 0.61, 0.25`."""
    text = f"{phase} kept {recall['mean']:.2f} of the needed tokens (best head {recall['best']:.2f})"
    if len(recall["by_order"]) > 1:
        text += "; fact by fact " + ", ".join(f"{entry['mean']:.2f}" for entry in recall["by_order"])
    return text


def sparsity(result: CellResult) -> str:
    """`decode 0.90 declared, 0.897 measured, 0.85 of loads saved` for each phase that is not dense."""
    parts = []
    for phase, wanted in result.declared_sparsity.items():
        if wanted is None and result.methods.get(phase) is None:
            continue
        claim = "as measured" if wanted is None else f"{wanted:g} declared"
        found, loaded = result.measured_sparsity[phase], result.loaded_sparsity[phase]
        loads = "" if loaded is None else f", {loaded:.3f} of loads saved"
        parts.append(f"{phase} {claim}, {'nothing' if found is None else f'{found:.3f}'} measured{loads}")
    return "; ".join(parts) or "dense"


def _short(value: float) -> str:
    return f"{value:.3g}"


def _interval(result: CellResult | MixResult) -> str:
    if result.degradation is None or result.lower is None or result.upper is None:
        return "not measured"
    return (
        f"{points(result.degradation)} points, one-sided limits {points(result.lower)} and {points(result.upper)}, "
        f"allowed {points(result.threshold)}"
    )


def _resolution(result: CellResult | MixResult) -> Iterator[str]:
    if result.resolves is not None:
        yield f"  resolves     a loss of {points(result.resolves)} points, where {RUNS} would pass"


def _noise(result: CellResult) -> str:
    noise = result.noise
    if noise is None:
        return f"floor not known: the baseline was recorded without; {RECORD_OPTION} measures it"
    if noise.between is None:
        return "floor not known: one batch size and one library, nothing to compare dense with"
    return (
        f"dense itself ({noise.between}) differs by {points(noise.mean)} points on average, by at least "
        f"{points(noise.floor)} (n={noise.items})"
    )
