"""What decides a cell besides its paired scores: whether it can be tested, and whether its sparsity really acted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pytest_sparsetol.result import CellResult, MixResult, Verdict, points
from pytest_sparsetol.statistics.decision import ROUNDING

SPARSITY_TOLERANCE = 0.01
"""How far measured sparsity may lie from the declared one."""

LEAST_SPARSE_STEPS = 3
"""Decoding steps that a decode or kv policy must have acted on in most items: the first token comes out of prefill."""

HEADROOM = 2.0
"""A total collapse to chance must cost at least this many times the allowed loss, or the cell is UNTESTABLE."""


def testable(dense: float, chance: float, threshold: float, minimum: float | None) -> tuple[Verdict, str] | None:
    """Decide a cell from its baseline alone, where that is possible.

    Args:
        dense: mean dense score.
        chance: mean score of guessing.
        threshold: allowed loss.
        minimum: `gate.min_dense` of the group.

    Returns:
        FAIL where dense is below its minimum, UNTESTABLE where `dense - chance < 2 * threshold`, else None.

    """
    if minimum is not None and dense < minimum:
        return "FAIL", f"dense scores {points(dense)}, under its minimum of {points(minimum)}"
    room = dense - chance
    if room < HEADROOM * threshold - ROUNDING:
        return (
            "UNTESTABLE",
            f"dense scores {points(dense)} (chance {points(chance)}): a total collapse would cost "
            f"{points(max(room, 0))} points, less than twice the allowed {points(threshold)}",
        )
    return None


_MORE_STEPS = {
    "question": "use tasks with longer questions or answers",
    "answer": "use tasks with longer answers, or `decode: {from: question}`",
}
"""What to do, by where decoding begins."""


def not_exercised(result: CellResult, steps: Sequence[int]) -> str | None:
    """Why the declared sparsity did not act in a cell that ran, or None where it did.

    Args:
        result: with what was measured.
        steps: decoding steps of each item; they count where a decode or kv policy is declared.

    """
    for phase, wanted in result.declared_sparsity.items():
        found = result.measured_sparsity[phase]
        if wanted is None:
            if result.methods.get(phase) is not None and (found is None or found < SPARSITY_TOLERANCE):
                shown = "nothing ran sparse" if found is None else f"they left out {found:.3f} of the work"
                return f"{phase} is given by parameters ({result.methods[phase]}) and {shown}"
            continue
        if found is None:
            every = f": all {result.layers} layers attend within a window shorter than the prompts"
            why = every if result.layers and result.layers == result.local_layers else ""
            return f"{phase} declares sparsity {wanted:g} and nothing ran sparse{why}"
        if abs(found - wanted) > SPARSITY_TOLERANCE:
            said = f"{phase} declares sparsity {wanted:g} and {found:.3f} was measured"
            if (result.methods.get(phase) or "").partition(" ")[0] == "quest":
                more = _MORE_STEPS[result.decode_from or "answer"]
                said += f"; whole pages are read, which averages out over more steps: {more}"
            return said
    exercised = sum(count >= LEAST_SPARSE_STEPS for count in steps)
    if result.sparse_steps is not None and 2 * exercised <= len(steps):
        return (
            f"{exercised} of {len(steps)} answers take {LEAST_SPARSE_STEPS} sparse decoding steps or more "
            f"({result.sparse_steps:.1f} on average), too few to test a decode policy: "
            f"{_MORE_STEPS[result.decode_from or 'answer']}"
        )
    return None


_WORST_FIRST: tuple[Verdict, ...] = ("ERROR", "UNTESTED", "NOT_EXERCISED", "UNTESTABLE")


def undecidable_mix(
    weights: Mapping[str, float], results: Mapping[str, CellResult], problems: Mapping[str, tuple[Verdict, str]]
) -> tuple[Verdict, str] | None:
    """Why a mix cannot be weighed: the worst of its groups without evidence, and their share of traffic.

    Args:
        weights: share of traffic by group.
        results: the groups' cells that ran.
        problems: verdict and reason of groups that gave no result.

    Returns:
        A verdict and its reason, or None where every group has paired scores.

    """
    stuck = {group: (result.verdict, result.reason) for group, result in results.items() if result.degradation is None}
    stuck.update(problems)
    stuck.update(
        {
            group: (result.verdict, result.reason)
            for group, result in results.items()
            if result.verdict == "NOT_EXERCISED"
        }
    )
    if not stuck:
        return None
    found = {verdict for verdict, _ in stuck.values()}
    verdict: Verdict = next((verdict for verdict in _WORST_FIRST if verdict in found), "FAIL")
    share = sum(weights[group] for group in stuck)
    parts = [
        f"{group} ({100 * weights[group]:g} % of traffic) is {stuck[group][0]}" for group in weights if group in stuck
    ]
    first = next(group for group in weights if group in stuck and stuck[group][0] in {verdict, "FAIL"})
    return verdict, f"{100 * share:g} % of traffic has no verdict: {'; '.join(parts)}. {first}: {stuck[first][1]}"


def without_pass(results: Iterable[CellResult | MixResult]) -> list[str]:
    """Deployments of which something ran and nothing passed, as `contract::deployment`."""
    seen: dict[str, bool] = {}
    for result in results:
        name = result.node_id.rsplit("::", 1)[0]
        seen[name] = seen.get(name, False) or result.verdict == "PASS"
    return [name for name, passed in seen.items() if not passed]
