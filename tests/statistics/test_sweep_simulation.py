"""The simulation of sweeps judges as the public functions do, and a small sample of it keeps its error."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.sweep import ITEMS, SCENES, THRESHOLD, p_values, rates
from benchmarks.verdict_simulation import ALPHA, KINDS, Kind
from pytest_sparsetol.statistics.p_value import cell_p_value

BINARY = KINDS[0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.cluster == 1], ids=lambda kind: kind.name)
def test_batched_p_values_equal_the_public_ones(kind: Kind) -> None:
    scene = SCENES[0]
    (values,) = p_values(np.random.default_rng(4), 40, kind, scene)
    loss = scene.losses[0][0] * THRESHOLD
    drawn = kind.draw(np.random.default_rng(4), 40, ITEMS, loss / kind.typical, loss)
    for row, value in zip(drawn, values[0], strict=True):
        expected = cell_p_value(row.tolist(), THRESHOLD)
        # Above the threshold the batch leaves out what cannot be shown anyway.
        assert value == pytest.approx(expected, abs=1e-8) or (value == 1.0 and row.mean() >= THRESHOLD)


def test_levels_of_a_sequence_meet_the_same_items() -> None:
    scene = next(scene for scene in SCENES if "second level" in scene.name)
    first, second = p_values(np.random.default_rng(5), 200, BINARY, scene)[0]
    assert (first <= second).all(), "what is lost at less loss is lost at more"


def test_a_small_sample_keeps_its_error_where_no_control_would_not() -> None:
    scene = next(scene for scene in SCENES if scene.name.startswith("8 sequences, all unsafe from their first"))
    row = rates(np.random.default_rng(6), 1000, BINARY, scene)
    assert row["false"] <= ALPHA
    assert row["uncontrolled"] > 2 * ALPHA
