"""P-values of "the loss is at least the threshold": the smallest alpha at which a cell or a mix would PASS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics.limits import exceedance
from pytest_sparsetol.statistics.melding import exceedance_of_sum
from pytest_sparsetol.statistics.mix import clusters_of, group_belief
from pytest_sparsetol.statistics.plan import Plan
from pytest_sparsetol.statistics.planning import check_gate
from pytest_sparsetol.statistics.sample import collect


def cell_p_value(differences: Sequence[float], threshold: float, clusters: Sequence[str] | None = None) -> float:
    """P-value from a cell's differences at its one look; `decide` says PASS where it is at most alpha.

    A cell that stopped early has no look: its level counts as not shown, whatever this gives.
    """
    check_gate(threshold, 0.5)
    return float(exceedance(collect(differences, clusters), np.array([threshold]))[0])


def mix_p_value(
    evidence: Mapping[str, Evidence], weights: Mapping[str, float], threshold: float, plans: Mapping[str, Plan]
) -> float:
    """P-value of the mix, whose groups may have stopped early; `decide_mix` says PASS where it is at most alpha."""
    check_gate(threshold, 0.5)
    parts = [(group_belief(*clusters_of(evidence[group]), plans[group]), weights[group]) for group in weights]
    return exceedance_of_sum(parts, threshold)
