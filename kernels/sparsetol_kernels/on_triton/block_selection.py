"""Means of blocks of tokens, and the best blocks of each row as ascending lists, in plain Triton."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

SCORES_AT_ONCE = 1 << 24
"""Block scores held at a time (64 MiB); more heads are scored one part after the other."""


@triton.jit
def block_means(
    Tokens, Means, length, blocks, batch_step, head_step, token_step,
    SIZE: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Grid: (blocks, heads, batch). Means, `[batch, heads, blocks, SIZE]`, are float32."""
    block, head, batch = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = tl.arange(0, triton.next_power_of_2(SIZE))
    base = Tokens + batch.to(tl.int64) * batch_step + head.to(tl.int64) * head_step
    total = tl.zeros([triton.next_power_of_2(SIZE)], tl.float32)
    for begin in tl.static_range(0, BLOCK, ROWS):
        token = block * BLOCK + begin + tl.arange(0, ROWS)
        inside = (token < length) & (begin + tl.arange(0, ROWS) < BLOCK)
        rows = tl.load(
            base + token.to(tl.int64)[:, None] * token_step + channel[None, :],
            mask=inside[:, None] & (channel < SIZE)[None, :], other=0.0,
        )  # fmt: skip
        total += tl.sum(rows.to(tl.float32), 0)
    here = tl.minimum(length - block * BLOCK, BLOCK)
    at = ((batch * tl.num_programs(1) + head).to(tl.int64) * blocks + block) * SIZE
    tl.store(Means + at + channel, total / here, mask=channel < SIZE)


@triton.jit
def best_blocks(Scores, Counts, Index, blocks, most, WIDE: tl.constexpr):
    """Grid: (row blocks, rows of heads). Lists the first, the own and the previous block, then those of best score.

    The score that the last of them reaches is found bit by bit; what ties there goes to earlier blocks.
    """
    row, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    wanted = tl.load(Counts + row)
    block = tl.arange(0, WIDE)
    allowed = block <= row
    score = tl.load(Scores + (head * blocks + row) * blocks + block, mask=allowed, other=0.0)
    score = tl.where((block == 0) | (block >= row - 1), float("inf"), score + 0.0)
    # Floats in the order of unsigned integers, 0 for what is not allowed.
    bits = score.to(tl.int32, bitcast=True)
    ordered = tl.where(bits < 0, ~bits, bits | -2147483648).to(tl.uint32, bitcast=True)
    ordered = tl.where(allowed, ordered, 0)
    least = tl.zeros([], tl.uint32)
    bit = tl.full([], 2147483648, tl.uint32)
    for _ in range(32):
        higher = least | bit
        least = tl.where(tl.sum((ordered >= higher).to(tl.int32), 0) >= wanted, higher, least)
        bit = bit >> 1
    above = allowed & (ordered > least)
    ties = allowed & (ordered == least)
    room = wanted - tl.sum(above.to(tl.int32), 0)
    chosen = above | (ties & (tl.cumsum(ties.to(tl.int32), 0) <= room))
    place = tl.cumsum(chosen.to(tl.int32), 0) - 1
    tl.store(Index + (head * blocks + row) * most + place, block, mask=chosen)


def means(tokens: Tensor, block: int) -> Tensor:
    """float32 `[batch, heads, blocks, size]` of `[batch, heads, length, size]`, the last dimension contiguous."""
    batch, heads, length, size = tokens.shape
    blocks = -(-length // block)
    out = torch.empty(batch, heads, blocks, size, dtype=torch.float32, device=tokens.device)
    rows = min(triton.next_power_of_2(block), 32 if size > 128 else 64)
    block_means[(blocks, heads, batch)](
        tokens, out, length, blocks, *tokens.stride()[:3], SIZE=size, BLOCK=block, ROWS=rows, num_warps=4
    )
    return out


def select(query: Tensor, key: Tensor, counts: Tensor, most: int, block: int) -> Tensor:
    """`select_blocks` with inputs that were checked."""
    batch, heads, _, size = query.shape
    key_heads = key.shape[1]
    rows = means(query, block).view(batch * key_heads, -1, size)
    columns = means(key, block).view(batch * key_heads, -1, size).transpose(1, 2)
    blocks = counts.shape[0]
    index = torch.empty(batch, heads, blocks, most, dtype=torch.int32, device=query.device)
    wide = triton.next_power_of_2(blocks)
    group = heads // key_heads
    lists = index.view(batch * key_heads, group, blocks, most)
    at_once = max(1, SCORES_AT_ONCE // (group * blocks * blocks))
    for first in range(0, batch * key_heads, at_once):
        part = slice(first, first + at_once)
        scores = rows[part] @ columns[part]
        best_blocks[(blocks, scores.shape[0] * group)](
            scores, counts, lists[part], blocks, most, WIDE=wide, num_warps=1 if wide <= 1024 else 8
        )
    return index
