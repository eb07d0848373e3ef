"""Means of blocks of tokens, and the best blocks of each row as ascending lists, in plain Triton."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

SCORES_AT_ONCE = 1 << 24
"""Block scores held at a time (64 MiB); more heads are scored one part after the other."""


COARSE_ROUNDS = tl.constexpr(16)
"""Halvings of the range of scores before those of its bits begin."""


@triton.jit
def block_means(
    Tokens, Means, length, blocks, batch_step, head_step, token_step,
    SIZE: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """Grid: (heads / GROUP, blocks, batch), so that neighbours read what lies together where a model wrote it.

    Means, `[batch, heads / GROUP, blocks, SIZE]` in float32, are those of all tokens of GROUP heads.
    """
    group, block, batch = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = tl.arange(0, triton.next_power_of_2(SIZE))
    total = tl.zeros([triton.next_power_of_2(SIZE)], tl.float32)
    for member in tl.range(GROUP):
        base = Tokens + batch.to(tl.int64) * batch_step + (group * GROUP + member).to(tl.int64) * head_step
        for begin in tl.static_range(0, BLOCK, ROWS):
            token = block * BLOCK + begin + tl.arange(0, ROWS)
            inside = (token < length) & (begin + tl.arange(0, ROWS) < BLOCK)
            rows = tl.load(
                base + token.to(tl.int64)[:, None] * token_step + channel[None, :],
                mask=inside[:, None] & (channel < SIZE)[None, :], other=0.0,
            )  # fmt: skip
            total += tl.sum(rows.to(tl.float32), 0)
    here = tl.minimum(length - block * BLOCK, BLOCK) * GROUP
    at = ((batch * tl.num_programs(0) + group).to(tl.int64) * blocks + block) * SIZE
    tl.store(Means + at + channel, total / here, mask=channel < SIZE)


@triton.jit
def in_order(bits):
    """Bits of floats as integers in the order of the floats, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@triton.jit
def best_blocks(Scores, Counts, Index, Listed, blocks, most, WIDE: tl.constexpr):
    """Grid: (row blocks, rows of heads). The first, the own and the previous block, those of best score, their number.

    A bound is sought that as many scores exceed as there is room for: halving the range of scores finds it in about
    log2(range / gap) rounds, halving their bits where scores lie unevenly. Where ties at the last place leave no such
    bound, earlier blocks win.
    """
    row, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    wanted = tl.load(Counts + row)
    tl.store(Listed + head * blocks + row, wanted)
    block = tl.arange(0, WIDE)
    # Whole vectors are loaded.
    inside = block < tl.minimum(row // 16 * 16 + 16, blocks)
    score = tl.load(Scores + (head * blocks + row) * blocks + block, mask=inside, other=0.0)
    # One zero, and no NaN beside what is forced.
    ordered = in_order((tl.minimum(score, float("inf")) + 0.0).to(tl.int32, bitcast=True))
    ordered = tl.where((block == 0) | (block >= row - 1), 2147483647, ordered)
    ordered = tl.where(block <= row, ordered, -2147483648)
    # `reaching` of them, as many as wanted or more, exceed `low`; fewer than wanted exceed `high`, unless both are one.
    full = wanted <= tl.minimum(row + 1, 3)
    high = tl.max(tl.where(ordered != 2147483647, ordered, -2147483648), 0)
    least = tl.min(tl.where(ordered != -2147483648, ordered, 2147483647), 0)
    low = tl.where(full, high, least - 1)
    reaching = tl.where(full, wanted, row + 1)
    step = 0
    while (reaching != wanted) & (high != low + 1) & (step < COARSE_ROUNDS + 32):
        middle = ((low.to(tl.int64) + high.to(tl.int64)) >> 1).to(tl.int32)
        if step < COARSE_ROUNDS:
            ends = in_order(low).to(tl.float32, bitcast=True) * 0.5 + in_order(high).to(tl.float32, bitcast=True) * 0.5
            middle = tl.minimum(tl.maximum(in_order(ends.to(tl.int32, bitcast=True)), low + 1), high - 1)
        exceeding = tl.sum((ordered > middle).to(tl.int32), 0)
        enough = exceeding >= wanted
        low = tl.where(enough, middle, low)
        reaching = tl.where(enough, exceeding, reaching)
        high = tl.where(enough, high, middle)
        step += 1
    if reaching == wanted:
        chosen = ordered > low
    else:
        ties = ordered == high
        spare = wanted - tl.sum((ordered > high).to(tl.int32), 0)
        chosen = (ordered > high) | (ties & (tl.cumsum(ties.to(tl.int32), 0) <= spare))
    place = tl.cumsum(chosen.to(tl.int32), 0) - 1
    tl.store(Index + (head * blocks + row) * most + place, block, mask=chosen & (place < wanted))


def means(tokens: Tensor, block: int, group: int = 1) -> Tensor:
    """float32 `[batch, heads / group, blocks, size]` of `[batch, heads, length, size]`, the last dimension contiguous.

    Each is the mean of a block's tokens of `group` heads.
    """
    batch, heads, length, size = tokens.shape
    blocks = -(-length // block)
    out = torch.empty(batch, heads // group, blocks, size, dtype=torch.float32, device=tokens.device)
    rows = min(triton.next_power_of_2(block), 32 if size > 128 else 64)
    block_means[(heads // group, blocks, batch)](
        tokens, out, length, blocks, *tokens.stride()[:3], SIZE=size, BLOCK=block, ROWS=rows, GROUP=group,
        num_warps=max(1, min(4, rows * triton.next_power_of_2(size) // 2048)),
    )  # fmt: skip
    return out


def warps_for(wide: int) -> int:
    """Warps of `best_blocks`: 64 scores a thread, as a single warp needs no barriers; from 8,192 on 32, which fit."""
    return wide // 1024 if wide >= 8192 else max(1, wide // 2048)


def select(
    query: Tensor, key: Tensor, counts: Tensor, most: int, block: int, *, per_key_head: bool
) -> tuple[Tensor, Tensor]:
    """`select_blocks` with inputs that were checked."""
    batch, heads, _, size = query.shape
    key_heads = key.shape[1]
    shared = heads // key_heads if per_key_head else 1
    rows = means(query, block, shared).view(batch * key_heads, -1, size)
    columns = means(key, block).view(batch * key_heads, -1, size).transpose(1, 2)
    blocks = counts.shape[0]
    lists_each = heads // key_heads // shared
    index = torch.empty(batch, key_heads * lists_each, blocks, most, dtype=torch.int32, device=query.device)
    listed = torch.empty(batch, key_heads * lists_each, blocks, dtype=torch.int32, device=query.device)
    wide = triton.next_power_of_2(blocks)
    lists_count = listed.view(batch * key_heads, lists_each, blocks)
    lists = index.view(batch * key_heads, lists_each, blocks, most)
    at_once = max(1, SCORES_AT_ONCE // (lists_each * blocks * blocks))
    for first in range(0, batch * key_heads, at_once):
        part = slice(first, first + at_once)
        scores = rows[part] @ columns[part]
        best_blocks[(blocks, scores.shape[0] * lists_each)](
            scores, counts, lists[part], lists_count[part], blocks, most, WIDE=wide, num_warps=warps_for(wide)
        )
    return index, listed
