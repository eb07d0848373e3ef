"""Random lists of key blocks, and what they mean as a mask."""

from __future__ import annotations

import torch
from torch import Tensor


def random_blocks(
    heads: int, length: int, block: int, share: float, *, batch: int = 1, seed: int = 1, empty: bool = False
) -> tuple[Tensor, Tensor]:
    """About `share` of the earlier blocks and each row block's own; with `empty`, some rows list nothing or lack it."""
    generator = torch.Generator().manual_seed(seed)
    rows = -(-length // block)
    chosen = torch.rand(batch, heads, rows, rows, generator=generator) < share
    number = torch.arange(rows)
    own = number[:, None] == number
    chosen = (chosen & ~own) | own
    if empty:
        chosen &= torch.rand(batch, heads, rows, rows, generator=generator) < 0.7
        chosen &= torch.rand(batch, heads, rows, 1, generator=generator) < 0.7
    chosen &= number <= number[:, None]
    count = chosen.sum(dim=-1)
    most = max(1, int(count.max()))
    index = torch.sort(chosen.byte(), dim=-1, descending=True, stable=True).indices[..., :most]
    # What lies beyond the count must never be read.
    index = index.where(torch.arange(most) < count[..., None], 2**30)
    return index.int(), count.int()


def as_mask(index: Tensor, count: Tensor, length: int, block: int, start: int) -> Tensor:
    """The query-key pairs of one sequence's lists: bool `[heads, tokens, tokens]`."""
    tokens = length - start
    heads = index.shape[0]
    seen = torch.zeros(heads, tokens, tokens, dtype=torch.bool)
    for head in range(heads):
        for row in range(-(-tokens // block)):
            for number in index[head, row, : count[head, row]].tolist():
                seen[head, row * block : (row + 1) * block, number * block : (number + 1) * block] = True
    position = torch.arange(tokens)
    return seen & (position <= position[:, None])
