"""Our SnapKV and Ada-SnapKV against what kvpress computed, see `benchmarks/kvpress_oracle.py`."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks.kvpress_agreement import FIXTURE, RESULTS, compare_model, compare_tensors, read
from benchmarks.kvpress_cases import LARGE, MODELS, SMALL, ModelCase, TensorCase
from tests.methods.snapkv_by_definition import scores_by_definition

THEIRS = read(FIXTURE)


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_one_layer(case: TensorCase) -> None:
    found = compare_tensors(case, THEIRS["tensors"][case.name])

    assert found.error < 1e-5
    if found.comparable:
        assert (found.snapkv, found.ada_snapkv, found.ada_as_it_is or 0) == (0, 0, 0)


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_our_reference_scores(case: TensorCase) -> None:
    query, key = map(torch.from_numpy, case.tensors())
    common = case.length - case.window - (0 if case.quiet else case.pool // 2)

    mean = scores_by_definition(query, key, case.size**-0.5, case.window, case.pool, "mean") / case.window
    largest = scores_by_definition(query, key, case.size**-0.5, case.window, case.pool, "max")

    for ours, over in ((mean, "mean"), (largest, "max")):
        theirs = torch.tensor(THEIRS["tensors"][case.name][over], dtype=torch.float64)
        torch.testing.assert_close(ours[:, :common], theirs[:, :common], rtol=1e-5, atol=0)


@pytest.mark.parametrize("case", MODELS, ids=lambda case: case.name)
def test_a_model(case: ModelCase) -> None:
    found = compare_model(case, THEIRS["models"][case.name])

    assert found.error < 1e-4
    assert (found.snapkv, found.ada_snapkv, found.ada_as_it_is or 0) == (0, 0, 0)


def test_the_published_table_is_of_these_cases() -> None:
    published = json.loads((RESULTS / "kvpress.json").read_text())

    assert published["versions"]["kvpress"] == THEIRS["versions"]
    assert [row["case"] for row in published["tensors"]] == [case.name for case in (*SMALL, *LARGE)]
    assert [row["case"] for row in published["models"]] == [case.name for case in MODELS]
    for row in (*published["tensors"], *published["models"]):
        assert row["error"] < 1e-5
        if row["comparable"]:
            assert (row["snapkv"], row["ada_snapkv"], row["ada_as_it_is"] or 0) == (0, 0, 0)
