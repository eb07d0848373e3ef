from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparsetol_suites.errors import LengthError
from sparsetol_suites.fit import fit
from sparsetol_suites.item import Draft


class Characters:
    """Counts one token a character, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def prompt(self, message: str) -> int:
        self.asked += 1
        return len(message)


def of_sizes(fixed: int, sizes: list[int]) -> Callable[[int], Draft]:
    """Makes drafts of 0, 1, 2, ... units."""
    totals = list(accumulate(sizes, initial=fixed))
    return lambda units: Draft("x" * totals[units], (), ())


@given(
    length=st.integers(400, 4000),
    fixed=st.integers(0, 300),
    least=st.integers(1, 5),
    largest=st.integers(1, 20),
    seed=st.integers(0, 2**32),
)
def test_units_of_up_to_a_twentieth_always_fit(length: int, fixed: int, least: int, largest: int, seed: int) -> None:
    rng = Random(seed)
    build = of_sizes(fixed, [rng.randint(1, largest) for _ in range(5000)])
    counter = Characters()
    draft = fit(build, length, counter, least=least)
    assert math.ceil(0.95 * length) <= len(draft.message) <= length
    assert counter.asked <= 20


def test_even_units_need_three_counts() -> None:
    build = of_sizes(80, [7] * 20_000)
    counter = Characters()
    draft = fit(build, 128 * 1024, counter)
    assert 0.98 * 128 * 1024 <= len(draft.message) <= 128 * 1024
    assert counter.asked <= 3


def test_too_long_already() -> None:
    with pytest.raises(LengthError, match="the shortest prompt has 107 tokens, more than 100"):
        fit(of_sizes(100, [7] * 10), 100, Characters())


def test_too_little_there() -> None:
    with pytest.raises(LengthError, match="all there is makes 70 tokens, fewer than 95% of 100"):
        fit(of_sizes(0, [7] * 10), 100, Characters(), most=10)


def test_all_there_is_may_be_enough() -> None:
    assert len(fit(of_sizes(0, [7] * 14), 100, Characters(), most=14).message) == 98


def test_units_too_coarse() -> None:
    with pytest.raises(LengthError, match="no prompt of 95% to 100 % of 100 tokens: 70 and 105 are next"):
        fit(of_sizes(0, [35] * 10), 100, Characters())
