"""How many ranked columns and diagonals fit into a number of query-key pairs: every pair counted once, by rank.

A pair is brought as soon as its column or one of the diagonals that cross it is taken. So one pass over row blocks and
keys, which adds each pair to the better of the two ranks, answers for every number of lines at once. Its time grows
with the square of the length; on a CPU it is less than that of halving a range up to 16k tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from sparsetol_kernels.lines import brought

CELLS = {"cpu": 1 << 17, "cuda": 1 << 24}
"""Row blocks times keys that are counted at a time: 1 MB a tensor, which stays in a CPU's cache; 128 MB on a GPU."""

_NEVER = torch.iinfo(torch.int32).max


def lines_by_counting(
    column_rank: Tensor, slash_rank: Tensor, budget: int, most: int, block: int
) -> tuple[Tensor, Tensor]:
    """The most lines that hold at most `budget` pairs together; then the most columns beside these diagonals.

    Args:
        column_rank: int32 `[heads, length]`, by key, 0 or more; those of 0 are taken whatever they hold.
        slash_rank: int32 `[heads, length]`, by offset (query position - key position).
        budget: causal query-key pairs of all these heads.
        most: ranks from here on are never taken.
        block: query rows in a row block.

    Returns:
        How many ranks of the diagonals, and of the columns, are taken: int64, no dimensions, 1 to `most`.

    """
    # Counts are exact in float64, the last entry is for ranks that are never taken.
    held = torch.zeros(most + 1, dtype=torch.float64, device=column_rank.device)
    for columns, slashes in zip(column_rank, slash_rank, strict=True):
        for met, pairs in _row_blocks(slashes, block):
            best = torch.minimum(columns[: met.shape[1]], met).clamp_(max=most)
            held.scatter_add_(0, best.flatten().long(), pairs.flatten())
    lines = (held[:most].cumsum(0) <= budget).sum().clamp(min=1)
    by_slashes, by_column = brought(slash_rank < lines, block)
    held = torch.zeros_like(held).scatter_add_(
        0, column_rank.flatten().clamp(max=most).long(), by_column.flatten().double()
    )
    columns = (held[:most].cumsum(0) + by_slashes.sum() <= budget).sum()
    return lines, columns.maximum(lines)


def _row_blocks(slash_rank: Tensor, block: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Of some row blocks after the other: the best rank of a diagonal that brings each key, and its causal pairs.

    `[row blocks, keys]` each, keys up to the last row: int32, float64.
    """
    (length,), device = slash_rank.shape, slash_rank.device
    best, width = torch.nn.functional.pad(slash_rank, (block - 1, block - 1), value=_NEVER), 1
    while width < block:
        # Each entry becomes the best of twice as many neighbours, of `block` at last.
        step = min(width, block - width)
        best, width = torch.minimum(best[:-step], best[step:]), width + step
    # By how far the key lies behind, turned round, then by key: future keys are met by none.
    by_key = torch.cat([best.flip(0), best.new_full((length,), _NEVER)])
    at_once = max(1, CELLS.get(device.type, CELLS["cpu"]) // length)
    for first in range(0, length, at_once * block):
        keys = min(first + at_once * block, length)
        start = torch.arange(first, keys, block, device=device)
        key = torch.arange(keys, dtype=torch.float64, device=device)
        end = (start + block).clamp(max=length)[:, None]
        yield by_key.unfold(0, keys, 1)[length - 1 - start], (end - key.maximum(start[:, None])).clamp_(min=0)
