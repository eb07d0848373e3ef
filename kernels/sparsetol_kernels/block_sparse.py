"""Block-Sparse's scores, by definition."""

from __future__ import annotations

import torch
from torch import Tensor


def pooled_block_scores(query: Tensor, key: Tensor, block: int, *, per_key_head: bool = False) -> Tensor:
    """Products of the mean query of each block of rows with the mean key of each block of keys.

    Source: Jiang et al. 2024, arXiv 2407.02490, section 3.2, with the same blocks for queries and keys as in arXiv
    2504.17768. A last block that is not full is the mean of the tokens that it has.

    Args:
        query: `[query heads, length, head size]`.
        key: `[key heads, length, head size]`; query heads are a multiple of key heads.
        block: tokens in a block.
        per_key_head: whether to average the products over the query heads of each key head, as no paper does: that is
            the product with the mean of the heads' means.

    Returns:
        float32 `[query heads, blocks, blocks]`, by query block and key block; not masked, not scaled. Where
        `per_key_head`, `[key heads, blocks, blocks]`.

    """
    group = query.shape[0] // key.shape[0]
    rows, columns = _block_means(query, block), _block_means(key, block)
    if per_key_head:
        rows = rows.view(-1, group, *rows.shape[1:]).mean(dim=1)
    else:
        columns = columns.repeat_interleave(group, dim=0)
    return rows @ columns.transpose(1, 2)


def _block_means(tokens: Tensor, block: int) -> Tensor:
    heads, length, size = tokens.shape
    blocks = -(-length // block)
    padded = torch.nn.functional.pad(tokens.float(), (0, 0, 0, blocks * block - length))
    counts = torch.full((blocks, 1), float(block), device=tokens.device)
    counts[-1] = length - (blocks - 1) * block
    sums: Tensor = padded.view(heads, blocks, block, size).sum(dim=2)
    return sums / counts
