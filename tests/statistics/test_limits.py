import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from pytest_sparsetol.statistics.limits import _solve, lower_limit, upper_limit
from pytest_sparsetol.statistics.planning import items_to_pass
from pytest_sparsetol.statistics.sample import collect

differences = st.lists(st.sampled_from([-1.0, -0.5, -0.1, 0.0, 0.0, 0.05, 0.3, 1.0]), min_size=1, max_size=40)
alphas = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.2])


@given(st.integers(1, 400), st.integers(0, 400), alphas)
@settings(deadline=None, max_examples=60)
def test_zeros_and_ones_give_clopper_pearson(items: int, losses: int, alpha: float) -> None:
    losses = min(items, losses)
    sample = collect([1.0] * losses + [0.0] * (items - losses))
    expected = 1.0 if losses == items else beta.ppf(1 - alpha, losses + 1, items - losses)
    assert upper_limit(sample, alpha) == pytest.approx(expected, abs=1e-9)
    if losses < items:
        assert _solve(sample, alpha) == pytest.approx(expected, abs=1e-9)


def test_no_loss_passes_at_59_items_and_one_at_93() -> None:
    assert upper_limit(collect([0.0] * 59), 0.05) <= 0.05 < upper_limit(collect([0.0] * 58), 0.05)
    assert upper_limit(collect([1.0] + [0.0] * 92), 0.05) <= 0.05 < upper_limit(collect([1.0] + [0.0] * 91), 0.05)
    assert items_to_pass(0.05, 0.95) == 59


@given(differences, alphas)
@settings(deadline=None, max_examples=60)
def test_is_the_quantile_of_the_simulated_spacings(values: list[float], alpha: float) -> None:
    limit = upper_limit(collect(values), alpha)
    spacings = np.random.default_rng(3).exponential(size=(20_000, len(values) + 1))
    means = spacings @ np.append(values, 1.0) / spacings.sum(axis=1)
    # Six standard errors of the simulated share.
    share = (means <= limit + 1e-9).mean()
    assert share == pytest.approx(1 - alpha, abs=6 * (alpha * (1 - alpha) / 20_000) ** 0.5) or limit == 1


@given(differences, alphas)
@settings(deadline=None, max_examples=60)
def test_limits_enclose_the_mean_and_mirror_each_other(values: list[float], alpha: float) -> None:
    sample = collect(values)
    lower, upper = lower_limit(sample, alpha), upper_limit(sample, alpha)
    assert -1 <= lower <= sample.mean + 1e-12
    assert sample.mean - 1e-12 <= upper <= 1
    assert upper_limit(collect([-value for value in values]), alpha) == pytest.approx(-lower, abs=1e-9)


@given(differences, st.data(), alphas)
@settings(deadline=None, max_examples=60)
def test_more_loss_or_more_confidence_never_lowers_the_limit(
    values: list[float], data: st.DataObject, alpha: float
) -> None:
    limit = upper_limit(collect(values), alpha)
    place = data.draw(st.integers(0, len(values) - 1))
    worse = list(values)
    worse[place] = data.draw(st.floats(values[place], 1.0))
    assert upper_limit(collect(worse), alpha) >= limit - 1e-9
    assert upper_limit(collect(values), alpha / 2) >= limit - 1e-9


def test_smallest_and_most_extreme_samples() -> None:
    assert upper_limit(collect([1.0, 1.0]), 0.05) == 1
    assert upper_limit(collect([0.0]), 0.05) == pytest.approx(0.95)
    assert upper_limit(collect([-1.0]), 0.05) == pytest.approx(0.9)
    assert lower_limit(collect([-1.0] * 3), 0.05) == -1
    assert lower_limit(collect([1.0] * 3), 0.05) == pytest.approx(1 - 2 * (1 - 0.05 ** (1 / 3)))
    assert upper_limit(collect([0.3] * 10), 0.05) == pytest.approx(0.3 + 0.7 * (1 - 0.05 ** (1 / 10)))


def test_items_of_one_cluster_count_once() -> None:
    values = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    tripled = [value for value in values for _ in range(3)]
    names = [str(place // 3) for place in range(18)]
    assert upper_limit(collect(tripled, names), 0.05) == pytest.approx(upper_limit(collect(values), 0.05), abs=1e-9)
    assert lower_limit(collect(tripled, names), 0.05) == pytest.approx(lower_limit(collect(values), 0.05), abs=1e-9)


def test_clusters_of_one_item_are_no_clusters() -> None:
    values = [0.2, -0.4, 0.0, 1.0, 0.0, 0.1]
    assert upper_limit(collect(values, list("abcdef")), 0.05) == pytest.approx(
        upper_limit(collect(values), 0.05), abs=1e-12
    )


@given(differences, st.data())
@settings(deadline=None, max_examples=40)
def test_unequal_clusters_stay_around_the_mean_of_the_items(values: list[float], data: st.DataObject) -> None:
    names = [data.draw(st.sampled_from("abcdefgh")) for _ in values]
    sample = collect(values, names)
    assert sample.mean == pytest.approx(float(np.mean(values)))
    assert lower_limit(sample, 0.05) - 1e-9 <= sample.mean <= upper_limit(sample, 0.05) + 1e-9
    assert upper_limit(sample, 0.05) >= upper_limit(sample, 0.2) - 1e-9


def test_many_graded_items_are_quick() -> None:
    values = list(np.random.default_rng(4).uniform(-1, 1, 500))
    upper_limit(collect(values), 0.05)
    begun = time.process_time()
    upper_limit(collect(values), 0.05)
    # 30 ms alone on the machine that this was written on.
    assert time.process_time() - begun < 0.3
    large = collect(list(np.random.default_rng(5).uniform(-1, 1, 5000)))
    assert large.mean < upper_limit(large, 0.05) < large.mean + 0.02
