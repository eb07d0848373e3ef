"""Pooled block scores against a loop over blocks."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.block_sparse import pooled_block_scores


@pytest.mark.parametrize(("heads", "groups"), [(2, 2), (6, 2), (4, 1)])
@pytest.mark.parametrize(("length", "block"), [(1, 16), (16, 16), (63, 16), (100, 7), (64, 128)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scores_are_products_of_means(length: int, block: int, heads: int, groups: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(3)
    query = torch.randn(heads, length, 24, generator=generator).to(dtype)
    key = torch.randn(groups, length, 24, generator=generator).to(dtype)

    scores = pooled_block_scores(query, key, block)
    shared = pooled_block_scores(query, key, block, per_key_head=True)

    blocks = -(-length // block)
    assert scores.shape == (heads, blocks, blocks)
    of_groups = scores.view(groups, heads // groups, blocks, blocks).mean(dim=1)
    torch.testing.assert_close(shared, of_groups, atol=1e-6, rtol=1e-5)
    for head in range(heads):
        for row in range(blocks):
            mine = query[head, row * block : (row + 1) * block].double().mean(dim=0)
            for column in range(blocks):
                theirs = key[head * groups // heads, column * block : (column + 1) * block].double().mean(dim=0)
                assert float(scores[head, row, column]) == pytest.approx(float(mine @ theirs), abs=1e-5)
