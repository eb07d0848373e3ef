import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from pytest_sparsetol.statistics import tail
from pytest_sparsetol.statistics.errors import EvidenceError
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


@pytest.mark.parametrize("items", [200, 420, 1000, 10_000, 100_000])
@pytest.mark.parametrize("losses", [0, 2, 3, 10, 50])
def test_many_items_with_few_losses_on_both_sides_of_their_mean(items: int, losses: int) -> None:
    # From the far left of the mean, where the probability is close to 1, to the far right.
    means = np.concatenate([np.logspace(-7, -1, 40), (losses + 1) / items * np.linspace(0.3, 3, 40)])
    weights, counts = np.stack([1 - means, -means], axis=1), [losses + 1, items - losses]

    expected = beta.sf(means, losses + 1, items - losses)

    assert probability_positive(weights, counts) == pytest.approx(expected, abs=1e-10)
    assert probability_positive(-weights, counts) == pytest.approx(1 - expected, abs=1e-10)


def three_values(losses: int, same: int, gains: int, mean: float) -> float:
    """P((1 - mean) G1 > mean G2 + (1 + mean) G3), by integrating over the share of G2 in G2 + G3."""
    both = same + gains

    def integrand(share: float) -> float:
        least = (mean * share + (1 + mean) * (1 - share)) / (1 - mean)
        return float(beta.pdf(share, same, gains) * beta.sf(least / (1 + least), losses + 1, both))

    centre, spread = same / both, np.sqrt(same * gains / both**2 / (both + 1))
    low, high = max(0.0, centre - 12 * spread - 40 / both), min(1.0, centre + 12 * spread + 40 / both)
    return float(quad(integrand, low, high, limit=4000, epsabs=1e-13, epsrel=1e-12, points=[centre])[0])


@pytest.mark.parametrize("items", [200, 420, 4000, 100_000])
@pytest.mark.parametrize(("losses", "gains"), [(4, 1), (1, 1), (2, 7), (30, 20)])
def test_losses_and_gains(items: int, losses: int, gains: int) -> None:
    # Most terms pull one way, the few large ones the other: a path that bends by the large ones alone is wrong.
    for mean in np.array([0.05, 0.3, 0.9, 1.5, 3]) * (losses + 1) / items:
        found = probability_positive([1 - mean, -mean, -1 - mean], [losses + 1, items - losses - gains, gains])
        assert found == pytest.approx(three_values(losses, items - losses - gains, gains, mean), abs=1e-9)


def test_it_falls_where_all_weights_do() -> None:
    random = np.random.default_rng(3)
    for scores in (random.uniform(-1, 1, 900), random.beta(0.2, 3, 900), (random.random(900) < 0.02) * 1.0):
        means = scores.mean() + np.linspace(-4, 4, 60) * scores.std() / 30
        weights = np.concatenate([scores - means[:, None], 1 - means[:, None]], axis=1)

        assert (np.diff(probability_positive(weights, np.ones(901))) <= 1e-10).all()


def test_what_cannot_be_computed_is_an_error_and_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "AGREEMENT", 0.0)

    with pytest.raises(EvidenceError, match="could not be computed"):
        probability_positive([1.0, -0.3], [2, 5])
