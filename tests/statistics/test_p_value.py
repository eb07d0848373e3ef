"""P-values agree with the verdicts that one look gives."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics import Plan, decide, decide_mix
from pytest_sparsetol.statistics.p_value import cell_p_value, mix_p_value

WEIGHTS = {"a": 0.7, "b": 0.3}


def evidence(values: np.ndarray, clusters: int = 1) -> Evidence:
    names = [str(place // clusters) for place in range(len(values))]
    return Evidence(values.tolist(), [""] * len(values), names)


def test_without_a_loss_it_is_the_power_of_what_is_kept() -> None:
    assert cell_p_value([0.0] * 59, 0.05) == pytest.approx(0.95**59, rel=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_a_cell_passes_exactly_where_the_p_value_is_at_most_alpha(seed: int) -> None:
    random = np.random.default_rng(seed)
    drawn = evidence(random.choice([0.0, 1.0, 0.3, -0.5], 60, p=[0.8, 0.08, 0.08, 0.04]), clusters=1 + seed % 3)
    p = cell_p_value(drawn.differences, 0.2, drawn.clusters)
    plan = Plan(60, early_fail=False)
    for alpha, verdict in ((p * 1.001, "PASS"), (p * 0.999, "not")):
        decision = decide(drawn.differences, 0.2, 1 - alpha, drawn.clusters, plan)
        assert (decision.verdict == "PASS") == (verdict == "PASS")


@pytest.mark.parametrize("lengths", [(80, 80), (80, 60)], ids=["all at the end", "one stopped early"])
def test_a_mix_passes_exactly_where_its_p_value_is_at_most_alpha(lengths: tuple[int, int]) -> None:
    random = np.random.default_rng(9)
    drawn = {
        name: evidence(random.choice([0.0, 1.0], n, p=[0.92, 0.08])) for name, n in zip(WEIGHTS, lengths, strict=True)
    }
    plans = dict.fromkeys(WEIGHTS, Plan(80))
    p = mix_p_value(drawn, WEIGHTS, 0.2, plans)
    assert 1e-6 < p < 0.3
    assert decide_mix(drawn, WEIGHTS, 0.2, 1 - p * 1.01, plans).verdict == "PASS"
    assert decide_mix(drawn, WEIGHTS, 0.2, 1 - p * 0.99, plans).verdict != "PASS"
