"""The power predicted for a fresh gate, against gates that were really drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics.limits import exceedance
from pytest_sparsetol.statistics.prediction import FreshGate, predicted_power
from pytest_sparsetol.statistics.sample import collect


def seen(losses: int, items: int, cluster: int = 1) -> Evidence:
    values = [1.0] * losses + [0.0] * (items - losses)
    return Evidence(values, [""] * items, [str(place // cluster) for place in range(items)])


def gate(items: int, threshold: float, mix_threshold: float = 1.0, groups: int = 1) -> FreshGate:
    names = [str(group) for group in range(groups)]
    return FreshGate(
        items=dict.fromkeys(names, items),
        thresholds=dict.fromkeys(names, threshold),
        weights=dict.fromkeys(names, 1 / groups),
        mix_threshold=mix_threshold,
        confidence=0.95,
    )


@pytest.mark.parametrize("losses", [0, 2, 5])
def test_one_group_of_binary_scores_is_beta_binomial(losses: int) -> None:
    most = max(k for k in range(20) if exceedance(collect(seen(k, 100).differences), np.array([0.1]))[0] <= 0.05)
    expected = betabinom(100, losses + 0.5, 100 - losses).cdf(most)
    assert predicted_power({"0": seen(losses, 100)}, gate(100, 0.1)) == pytest.approx(expected, abs=0.06)


def test_power_falls_with_losses_with_groups_and_with_clusters() -> None:
    one = predicted_power({"0": seen(3, 100)}, gate(100, 0.1))
    assert predicted_power({"0": seen(1, 100)}, gate(100, 0.1)) > one
    assert predicted_power({name: seen(3, 100) for name in "01"}, gate(100, 0.1, groups=2)) < one
    assert predicted_power({"0": seen(4, 100, cluster=4)}, gate(100, 0.1)) < predicted_power(
        {"0": seen(4, 100)}, gate(100, 0.1)
    )


def test_the_mix_must_pass_too() -> None:
    groups = {name: seen(2, 100) for name in "01"}
    loose = predicted_power(groups, gate(100, 0.2, 0.2, groups=2))
    tight = predicted_power(groups, gate(100, 0.2, 0.04, groups=2))
    assert loose > 0.95
    assert tight < 0.7
