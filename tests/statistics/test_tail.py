import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from pytest_sparsetol.statistics.tail import probability_positive


def imhof(weights: list[float], counts: list[float]) -> float:
    """The same probability by adaptive integration along the imaginary axis."""
    a, n = np.array(weights), np.array(counts)

    def integrand(u: float) -> float:
        angle = float((n * np.arctan(a * u)).sum())
        return float(np.sin(angle) / (u * np.exp((n * np.log1p((a * u) ** 2)).sum() / 2)))

    return 0.5 + float(quad(integrand, 0, np.inf, limit=2000, epsabs=1e-11)[0]) / np.pi


@pytest.mark.parametrize("counts", [(1, 1), (1, 59), (5, 2), (0.5, 17.25), (3, 4000)])
@pytest.mark.parametrize("ratio", [0.001, 0.04, 0.7, 1, 12])
def test_two_terms_are_a_beta_variable(counts: tuple[float, float], ratio: float) -> None:
    # G1 > ratio * G2 where G1 / (G1 + G2) > ratio / (1 + ratio).
    expected = beta.sf(ratio / (1 + ratio), *counts)
    assert probability_positive([1.0, -ratio], counts) == pytest.approx(expected, abs=1e-10)


def test_agrees_with_integration_along_the_imaginary_axis() -> None:
    random = np.random.default_rng(1)
    for terms in (2, 3, 5, 9):
        for _ in range(5):
            weights = random.uniform(-1, 1, terms)
            counts = random.integers(1, 9, terms)
            assert probability_positive(weights, counts) == pytest.approx(imhof(list(weights), list(counts)), abs=1e-8)


def test_one_weight_against_thousands() -> None:
    # 9,999 weights of -3e-4 are as good as the constant -2.9997: the gamma variable must exceed a gamma variable.
    weights = np.append(np.full(9999, -3e-4) * np.linspace(0.999, 1.001, 9999), 0.97)
    exact = beta.sf(3e-4 / (0.97 + 3e-4), 1, 9999)
    assert probability_positive(weights, np.ones(10000)) == pytest.approx(exact, rel=1e-4)


def test_sums_of_one_sign() -> None:
    assert probability_positive([-1.0, -0.5], [1, 1]) == 0
    assert probability_positive([1.0, 0.5, 0.0], [1, 1, 3]) == 1
    assert probability_positive([0.0], [4]) == 0


def test_terms_with_count_zero_are_left_out() -> None:
    assert probability_positive([1.0, -0.2, 50.0], [2, 9, 0]) == probability_positive([1.0, -0.2], [2, 9])


def test_rows_are_independent_and_scale_does_not_matter() -> None:
    random = np.random.default_rng(2)
    weights, counts = random.uniform(-1, 1, (40, 6)), random.integers(0, 30, (40, 6))
    together = probability_positive(weights * 1e-3, counts)
    alone = [float(probability_positive(row, count)) for row, count in zip(weights, counts, strict=True)]
    assert together == pytest.approx(alone, abs=1e-12)


def test_far_tails_keep_their_relative_precision() -> None:
    assert probability_positive([1.0, -1e-9], [3, 1]) == pytest.approx(1, abs=1e-10)
    expected = beta.sf(0.9, 2, 40)
    assert probability_positive([0.1, -0.9], [2, 40]) == pytest.approx(expected, rel=1e-6)
