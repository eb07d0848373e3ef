"""The verdict on one cell, from its paired differences."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_sparsetol.statistics.decision import Decision
from pytest_sparsetol.statistics.plan import Plan
from pytest_sparsetol.statistics.sample import check_differences
from pytest_sparsetol.statistics.sequential import Sequential, together


def decide(
    differences: Sequence[float],
    threshold: float,
    confidence: float = 0.95,
    clusters: Sequence[str] | None = None,
    plan: Plan | None = None,
) -> Decision:
    """Judge whether the mean loss is at most `threshold`, as a run that meets the items in this order would.

    FAIL as soon as anytime-valid tests reject that the mean is at most the threshold. PASS at a look of the plan
    where the upper limit is at most the threshold. FAIL at the last look where the mean exceeds the threshold and the
    lower limit exceeds 0. Otherwise INCONCLUSIVE, and `reason` says about how many more items would decide.

    Args:
        differences: dense - sparse score per item, in [-1, 1], in the order run.
        threshold: allowed mean loss, a fraction in (0, 1].
        confidence: of the verdicts, in (0, 1).
        clusters: name of the document behind each item; items that share one count as one draw, and are brought
            together where they do not follow each other. None: all differ.
        plan: looks and largest number of items; by default one look after these items, with early FAIL.

    Raises:
        EvidenceError: no differences, a value outside its range or not a number, lengths that differ, or more items
            than planned.

    """
    values = check_differences(differences, clusters)
    if clusters is not None:
        values, clusters = together(values, clusters)
    test = Sequential(threshold, plan or Plan(len(values)), confidence)
    return test.update(values.tolist(), clusters) or test.conclude()
