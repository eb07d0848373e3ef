"""What lines bring, counted in closed form, against the matrix."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.lines import attended_and_loaded, crossed
from sparsetol_kernels.selection import LineSelection, causal_weights
from torch import Tensor

SHAPES = [(1, 16), (7, 4), (8, 4), (50, 64), (64, 16), (203, 16), (130, 64)]


def lines(length: int, share: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(length)
    return (
        torch.rand(3, length, generator=generator) < share,
        torch.rand(3, length, generator=generator) < 0.3,
    )


@pytest.mark.parametrize(("length", "block"), SHAPES)
def test_a_diagonal_brings_what_it_crosses(length: int, block: int) -> None:
    slashes, _ = lines(length, 0.05)

    met = crossed(slashes, block)

    for head in range(3):
        for place in range(length + block - 1):
            distance = place - block + 1
            offsets = range(max(distance, 0), min(distance + block, length))
            assert bool(met[head, place]) == any(slashes[head, offset] for offset in offsets)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize(("length", "block"), SHAPES)
def test_pairs_are_those_of_the_matrix(length: int, block: int, share: float) -> None:
    slashes, columns = lines(length, share)
    selection = LineSelection(columns, slashes, block)
    weights = causal_weights(length, block, torch.device("cpu"))
    assert not (selection.keys & (weights == 0)).any()

    attended, loaded = attended_and_loaded(slashes, columns, block)
    assert torch.equal(attended, (selection.keys * weights).sum(dim=(1, 2)))
    assert torch.equal(loaded, selection.keys.sum(dim=(1, 2)) * block)
