"""A part of what a selection holds is that part of its keys."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.selection import BlockSelection, KeySelection, LineSelection, PrefillSelection

LENGTH, BLOCK, ROWS = 75, 16, 5


def keys() -> KeySelection:
    row = torch.arange(BLOCK - 1, ROWS * BLOCK, BLOCK)[:, None]
    chosen = torch.rand(4, ROWS, LENGTH, generator=torch.Generator().manual_seed(1)) < 0.4
    return KeySelection(chosen & (torch.arange(LENGTH) <= row), BLOCK)


def blocks() -> BlockSelection:
    index = torch.tensor([[0, 9, 9], [1, 9, 9], [0, 2, 9], [1, 2, 3], [0, 4, 9]], dtype=torch.int32)
    count = torch.tensor([1, 1, 2, 3, 2], dtype=torch.int32)
    return BlockSelection(index.expand(2, -1, -1), count.expand(2, -1), BLOCK, LENGTH, group=2)


def lines() -> LineSelection:
    generator = torch.Generator().manual_seed(2)
    slashes, columns = (torch.rand(4, LENGTH, generator=generator) < 0.1 for _ in range(2))
    return LineSelection(columns, slashes, BLOCK)


@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("selection", [keys(), blocks(), lines()], ids=lambda made: type(made).__name__)
def test_at_is_a_part_of_the_keys(selection: PrefillSelection, first: int) -> None:
    tokens = torch.tensor([70, 0, 31, 32, 33, 74])
    whole = selection.keys
    assert whole.shape == (4, ROWS, LENGTH)
    assert 0 < whole[:, first:, tokens].sum() < whole[:, first:, tokens].numel()

    assert torch.equal(selection.at(first, tokens), whole[:, first:, tokens])


def test_blocks_are_whole_and_end_with_the_prompt() -> None:
    whole = blocks().keys

    assert whole[0, 3].nonzero().flatten().tolist() == list(range(16, 64))
    assert whole[3, 4].nonzero().flatten().tolist() == [*range(16), *range(64, 75)]
