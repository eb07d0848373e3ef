"""Claims about many sequences: Holm's shares, and levels in their order."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_sparsetol.statistics.fixed_sequences import Claim, shown_safe


def test_one_sequence_has_all_of_alpha_at_every_level() -> None:
    assert shown_safe([[0.04, 0.05, 0.051, 0.001]], [4], 0.05) == [Claim(2, 0.05)]


def test_sequences_of_one_level_are_holm() -> None:
    # Holm 1979: 0.01 <= 0.05/4, 0.015 <= 0.05/3, 0.024 <= 0.05/2, 0.06 > 0.05.
    claims = shown_safe([[0.06], [0.01], [0.024], [0.015]], [1] * 4, 0.05)
    assert [claim.levels for claim in claims] == [0, 1, 1, 1]
    assert claims[0].alpha == pytest.approx(0.05)
    # 0.026 > 0.05/2 ends the descent, though it is below alpha.
    assert [c.levels for c in shown_safe([[0.06], [0.01], [0.026], [0.015]], [1] * 4, 0.05)] == [0, 1, 0, 1]


def test_a_sequence_hands_its_share_on_only_from_its_last_level() -> None:
    p_values = [[0.001, 0.001], [0.03]]
    assert [c.levels for c in shown_safe(p_values, [3, 1], 0.05)] == [2, 0]
    assert [c.levels for c in shown_safe(p_values, [2, 1], 0.05)] == [2, 1]


def test_a_late_share_carries_a_sequence_past_the_level_where_it_stood() -> None:
    claims = shown_safe([[0.0, 0.04, 0.02], [0.0, 0.03], [0.01]], [3, 2, 1], 0.06)
    assert [c.levels for c in claims] == [3, 2, 1]


def test_a_level_that_was_not_run_is_not_shown() -> None:
    assert [c.levels for c in shown_safe([[], [0.0]], [2, 2], 0.05)] == [0, 1]


def test_false_claims_stay_below_alpha_whatever_the_dependence() -> None:
    # Worst case: unsafe first levels with uniform p-values, all sequences alike or independent.
    random = np.random.default_rng(3)
    for copies in (True, False):
        wrong = 0
        for _ in range(4000):
            drawn = random.random(1).repeat(5) if copies else random.random(5)
            sequences = [[0.0, float(p)] for p in drawn] + [[0.0, 0.0]] * 5
            wrong += any(c.levels > 1 for c in shown_safe(sequences, [2] * 10, 0.05)[:5])
        assert wrong / 4000 < 0.05 + 3 * (0.05 * 0.95 / 4000) ** 0.5
