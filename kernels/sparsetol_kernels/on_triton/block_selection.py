"""Means of blocks of tokens, and the best blocks of each row as ascending lists, in plain Triton."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

SCORES_AT_ONCE = 1 << 24
"""Block scores held at a time (64 MiB); more heads are scored one part after the other."""

FEW = 64
"""Blocks of a prompt up to which a list's program computes its own scores: it saves short prompts a launch."""

COARSE_ROUNDS = tl.constexpr(16)
"""Halvings of the range of scores before those of its bits begin."""


@triton.jit
def _mean(
    Tokens, Means, group, block, batch, groups, length, blocks, batch_step, head_step, token_step,
    SIZE: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
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
    at = ((batch * groups + group).to(tl.int64) * blocks + block) * SIZE
    tl.store(Means + at + channel, total / here, mask=channel < SIZE)


@triton.jit
def block_means(
    Queries, Keys, Rows, Columns, key_heads, length, blocks,
    query_batch, query_head, query_token, key_batch, key_head, key_token,
    SIZE: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """Grid: (query heads / GROUP + key heads, blocks, batch), so that neighbours read what a model wrote together.

    Rows, `[batch, query heads / GROUP, blocks, SIZE]` in float32, are means of all tokens of GROUP heads; Columns those
    of each key head.
    """
    group, block, batch = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    row_groups = tl.num_programs(0) - key_heads
    if group < row_groups:
        _mean(
            Queries, Rows, group, block, batch, row_groups, length, blocks, query_batch, query_head, query_token,
            SIZE, BLOCK, ROWS, GROUP,
        )  # fmt: skip
    else:
        _mean(
            Keys, Columns, group - row_groups, block, batch, key_heads, length, blocks, key_batch, key_head, key_token,
            SIZE, BLOCK, ROWS, 1,
        )  # fmt: skip


@triton.jit
def in_order(bits):
    """Bits of floats as integers in the order of the floats, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@triton.jit
def _list_best(score, wanted, row, head, Index, blocks, most, WIDE: tl.constexpr):
    """Writes so many blocks of a row: the first, its own and the previous one, and those of best score.

    A bound is sought that as many scores exceed as there is room for: halving the range of scores finds it in about
    log2(range / gap) rounds, halving their bits where scores lie unevenly. Where ties at the last place leave no such
    bound, earlier blocks win.
    """
    block = tl.arange(0, WIDE)
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


@triton.jit
def best_blocks(Scores, Counts, Index, Listed, blocks, most, WIDE: tl.constexpr):
    """Grid: (row blocks, rows of heads). Lists by `Scores`, float32 `[heads, blocks, blocks]`."""
    row, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    # Loaded before the scores: behind them, in `_list_best`, 8,192 scores spill registers.
    wanted = tl.load(Counts + row)
    tl.store(Listed + head * blocks + row, wanted)
    block = tl.arange(0, WIDE)
    # Whole vectors are loaded.
    inside = block < tl.minimum(row // 16 * 16 + 16, blocks)
    score = tl.load(Scores + (head * blocks + row) * blocks + block, mask=inside, other=0.0)
    _list_best(score, wanted, row, head, Index, blocks, most, WIDE)


@triton.jit
def best_of_few_blocks(
    Rows, Columns, Counts, Index, Listed, blocks, most, lists_each, SIZE: tl.constexpr, WIDE: tl.constexpr
):  # fmt: skip
    """Grid: (row blocks, rows of heads). Lists by products of means; `lists_each` rows of heads share columns."""
    row, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    wanted = tl.load(Counts + row)
    tl.store(Listed + head * blocks + row, wanted)
    block = tl.arange(0, WIDE)
    score = tl.zeros([WIDE], tl.float32)
    for first in tl.static_range(0, SIZE, 32):
        channel = first + tl.arange(0, 32)
        own = tl.load(Rows + (head * blocks + row) * SIZE + channel, mask=channel < SIZE, other=0.0)
        others = tl.load(
            Columns + (head // lists_each * blocks + block)[:, None] * SIZE + channel[None, :],
            mask=(block <= row)[:, None] & (channel < SIZE)[None, :], other=0.0,
        )  # fmt: skip
        score += tl.sum(own[None, :] * others, 1)
    _list_best(score, wanted, row, head, Index, blocks, most, WIDE)


def means(query: Tensor, key: Tensor, block: int, group: int) -> tuple[Tensor, Tensor]:
    """Of each block's tokens of `group` query heads, and of each key head: float32 `[batch, heads, blocks, size]`.

    Both are `[batch, heads, length, size]`, the last dimension contiguous.
    """
    batch, heads, length, size = query.shape
    key_heads = key.shape[1]
    blocks = -(-length // block)
    of_queries = torch.empty(batch, heads // group, blocks, size, dtype=torch.float32, device=query.device)
    of_keys = torch.empty(batch, key_heads, blocks, size, dtype=torch.float32, device=query.device)
    rows = min(triton.next_power_of_2(block), 32 if size > 128 else 64)
    block_means[(heads // group + key_heads, blocks, batch)](
        query, key, of_queries, of_keys, key_heads, length, blocks, *query.stride()[:3], *key.stride()[:3],
        SIZE=size, BLOCK=block, ROWS=rows, GROUP=group,
        num_warps=max(1, min(4, rows * triton.next_power_of_2(size) // 2048)),
    )  # fmt: skip
    return of_queries, of_keys


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
    lists_each = heads // key_heads // shared
    blocks = counts.shape[0]
    rows, columns = means(query, key, block, shared)
    index = torch.empty(batch, heads // shared, blocks, most, dtype=torch.int32, device=query.device)
    listed = torch.empty(batch, heads // shared, blocks, dtype=torch.int32, device=query.device)
    wide = triton.next_power_of_2(blocks)
    if wide <= FEW:
        best_of_few_blocks[(blocks, batch * heads // shared)](
            rows, columns, counts, index, listed, blocks, most, lists_each, SIZE=size, WIDE=wide, num_warps=1
        )
        return index, listed
    rows = rows.view(batch * key_heads, -1, size)
    columns = columns.view(batch * key_heads, -1, size).transpose(1, 2)
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
