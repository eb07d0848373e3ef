"""Power and what items resolve, against the 20,000 runs a point of `benchmarks/verdicts.py`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics import Plan, decide_mix
from pytest_sparsetol.statistics.power import power, resolved, resolved_by_mix

SIMULATED = Path(__file__).parents[2] / "benchmarks/results/verdicts.json"


@pytest.mark.parametrize(("draws", "threshold"), [(59, 0.05), (20, 0.2)])
def test_without_change_a_cell_passes_from_the_fewest_items_on(draws: int, threshold: float) -> None:
    assert power(draws, 0.0, threshold, 0.95) == 1
    assert power(draws - 10, 0.0, threshold, 0.95) == 0


def test_is_the_share_of_safe_runs_that_pass() -> None:
    grid = json.loads(SIMULATED.read_text())["grid"]
    points = [point for point in grid if point["kind"] == "binary" and point["times"] == 0 and point["early"]]
    assert len(points) > 20

    for point in points:
        expected = power(point["items"], point["discordance"], point["threshold"], 0.95)
        # Three standard errors of the simulation and the share that early FAIL ends.
        error = 3 * (expected * (1 - expected) / point["runs"]) ** 0.5
        assert expected - error - 0.005 <= point["pass"] <= expected + error + 1e-4, point


@pytest.mark.parametrize("wanted", [0.8, 0.9, 0.99])
@pytest.mark.parametrize(("draws", "variance"), [(40, 0.03), (64, 0.1), (200, 0.01), (200, 0.1), (500, 0.3)])
def test_at_the_resolved_loss_a_safe_cell_passes_as_often_as_wanted(draws: int, variance: float, wanted: float) -> None:
    loss = resolved(draws, variance, 0.95, wanted)

    assert power(draws, variance, 0.93 * loss, 0.95) < wanted < power(draws, variance, 1.07 * loss, 0.95)


def test_a_safe_mix_passes_about_as_often_at_what_its_groups_resolve_together() -> None:
    weights, items, variances = {"a": 0.7, "b": 0.3}, {"a": 40, "b": 40}, {"a": 0.05, "b": 0.1}
    loss = resolved_by_mix([(weights[group], items[group], variances[group]) for group in weights], 0.95)
    plans = {group: Plan(items[group]) for group in weights}
    rng = np.random.default_rng(5)
    limits: dict[tuple[int, ...], float] = {}
    runs, passed = 150, 0
    for _ in range(runs):
        counts = [
            rng.multinomial(items[group], [variances[group] / 2, variances[group] / 2, 1 - variances[group]])
            for group in weights
        ]
        key = tuple(int(count) for part in counts for count in part[:2])
        if key not in limits:
            evidence = {
                group: Evidence(
                    [-1.0] * int(gains) + [1.0] * int(losses) + [0.0] * int(same),
                    [group] * items[group],
                    [str(place) for place in range(items[group])],
                )
                for group, (gains, losses, same) in zip(weights, counts, strict=True)
            }
            limits[key] = decide_mix(evidence, weights, 0.1, plans=plans).upper
        passed += limits[key] <= loss

    assert 0.82 <= passed / runs <= 0.97


def test_imports_no_scipy() -> None:
    code = (
        "import sys; from pytest_sparsetol.statistics.power import resolved; resolved(200, 0.1, 0.95)\n"
        "print([name for name in ('scipy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
