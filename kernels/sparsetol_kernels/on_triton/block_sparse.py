"""Block-sparse causal attention in plain Triton: one program for each tile of query rows, long rows first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from sparsetol_kernels.on_triton.softmax import absorb, add_sink, finish, scaled


@triton.jit
def block_sparse_forward(
    Q, K, V, Out, LogSum, Index, Count, Starts, Sinks,
    scale, softcap, length, heads, index_heads, row_blocks, most,
    q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row, out_batch, out_head, out_row,
    GROUP: tl.constexpr, PACK: tl.constexpr, SIZE: tl.constexpr, VALUE: tl.constexpr, BLOCK: tl.constexpr,
    ROWS: tl.constexpr, KEYS: tl.constexpr, PER_KEY_HEAD: tl.constexpr, PADDED: tl.constexpr,
    SOFTCAP: tl.constexpr, SINKS: tl.constexpr, LOG_SUM: tl.constexpr,
):  # fmt: skip
    """Grid: (row tiles, query heads / PACK, batch).

    A tile holds ROWS rows of each of PACK query heads that share keys and index. Its keys are the listed blocks, strung
    together and cut into tiles of KEYS: all but the end of that string lies before the rows and needs no mask.
    """
    tile = tl.num_programs(0) - 1 - tl.program_id(0)
    head = tl.program_id(1) * PACK
    batch = tl.program_id(2).to(tl.int64)
    key_head = (head // GROUP).to(tl.int64)
    start = tl.load(Starts + batch) if PADDED else 0
    tokens = length - start
    row_block = tile // (BLOCK // ROWS)
    first_row = tile * ROWS
    lane = tl.arange(0, ROWS * PACK)
    row = first_row + lane % ROWS
    heads_of = head + lane // ROWS
    here = row < tokens

    WIDE: tl.constexpr = triton.next_power_of_2(SIZE)
    WIDE_VALUE: tl.constexpr = triton.next_power_of_2(VALUE)
    channel = tl.arange(0, WIDE)
    value_channel = tl.arange(0, WIDE_VALUE)
    q_at = batch * q_batch + heads_of.to(tl.int64) * q_head + (start + row).to(tl.int64) * q_row
    query = tl.load(Q + q_at[:, None] + channel[None, :], mask=here[:, None] & (channel < SIZE)[None, :], other=0.0)
    k_from = K + batch * k_batch + key_head * k_head
    v_from = V + batch * v_batch + key_head * v_head

    index_head = key_head if PER_KEY_HEAD else head.to(tl.int64)
    entry_row = (batch * index_heads + index_head) * row_blocks + row_block
    listed = tl.load(Count + entry_row, mask=first_row < tokens, other=0)
    blocks = Index + entry_row * most

    acc = tl.zeros([ROWS * PACK, WIDE_VALUE], tl.float32)
    total = tl.zeros([ROWS * PACK], tl.float32)
    peak = tl.full([ROWS * PACK], float("-inf"), tl.float32)
    within = tl.arange(0, KEYS)
    clear = tl.maximum(listed - 1, 0) * BLOCK // KEYS * KEYS
    for begin in tl.range(0, clear, KEYS):
        if KEYS <= BLOCK:
            key = tl.load(blocks + begin // BLOCK) * BLOCK + begin % BLOCK + within
        else:
            key = tl.load(blocks + (begin + within) // BLOCK) * BLOCK + within % BLOCK
        key = (start + key).to(tl.int64)
        k = tl.load(k_from + key[None, :] * k_row + channel[:, None], mask=(channel < SIZE)[:, None], other=0.0)
        logit = scaled(tl.dot(query, k, input_precision="ieee"), scale, softcap, SOFTCAP)
        v = tl.load(
            v_from + key[:, None] * v_row + value_channel[None, :], mask=(value_channel < VALUE)[None, :], other=0.0
        )
        acc, total, peak = absorb(logit, v, acc, total, peak, False)
    # Where all keys of a tile read one entry, Triton 3.6 fetches its neighbours for some of them once the loop is
    # pipelined: there an entry is one load, not a vector of loads.
    LAST_STAGES: tl.constexpr = None if KEYS <= BLOCK else 1
    for begin in tl.range(clear, listed * BLOCK, KEYS, num_stages=LAST_STAGES):
        entry = (begin + within) // BLOCK
        if KEYS <= BLOCK:
            key = tl.load(blocks + begin // BLOCK) * BLOCK + begin % BLOCK + within
        else:
            key = tl.load(blocks + tl.minimum(entry, listed - 1)) * BLOCK + (begin + within) % BLOCK
        inside = (entry < listed) & (key < tokens)
        at = (start + key).to(tl.int64)
        k = tl.load(
            k_from + at[None, :] * k_row + channel[:, None], mask=inside[None, :] & (channel < SIZE)[:, None], other=0.0
        )
        logit = scaled(tl.dot(query, k, input_precision="ieee"), scale, softcap, SOFTCAP)
        logit = tl.where(inside[None, :] & (key[None, :] <= row[:, None]), logit, float("-inf"))
        v = tl.load(
            v_from + at[:, None] * v_row + value_channel[None, :],
            mask=inside[:, None] & (value_channel < VALUE)[None, :], other=0.0,
        )  # fmt: skip
        acc, total, peak = absorb(logit, v, acc, total, peak, True)

    if SINKS:
        acc, total, peak = add_sink(tl.load(Sinks + heads_of).to(tl.float32), acc, total, peak)
    out, log_sum = finish(acc, total, peak)
    out_at = batch * out_batch + heads_of.to(tl.int64) * out_head + (start + row).to(tl.int64) * out_row
    tl.store(
        Out + out_at[:, None] + value_channel[None, :], out.to(Out.dtype.element_ty),
        mask=here[:, None] & (value_channel < VALUE)[None, :],
    )  # fmt: skip
    if LOG_SUM:
        tl.store(LogSum + (batch * heads + heads_of) * length + start + row, log_sum, mask=here)


@dataclass(frozen=True)
class Tiles:
    """Rows of a tile for each of `pack` query heads, keys of a tile, and how Triton runs it."""

    rows: int
    keys: int
    pack: int
    warps: int
    stages: int


def tiles_for(dtype: torch.dtype, size: int, block: int, pack: int, capability: tuple[int, int]) -> Tiles:
    """Tiles within 99 KiB of shared memory, 227 KiB on Hopper.

    No registers spill, but for up to 24 bytes a thread in float32 and, on sm80, at blocks of 16.
    `pack` is the most query heads that may share a tile, a power of 2.
    """
    hopper = capability >= (9, 0)
    if dtype == torch.float32:
        most_rows, keys = 32, min(block, 32) if size <= 128 and hopper else 16
    elif size <= 128:
        most_rows, keys = 128, 64
    else:
        most_rows, keys = (128, 32) if hopper else (64, min(block, 32))
    rows = min(block, most_rows)
    while pack * rows > most_rows:
        pack //= 2
    if dtype == torch.float32 or size > 128:
        many = hopper or (dtype == torch.float32 and size > 128)
        warps = 8 if rows * pack > (16 if many else 32) else 4
        if hopper and dtype != torch.float32 and rows * pack < 128:
            keys = 64
    else:
        alone = hopper and pack == 1
        warps = {128: 8, 64: 4 if hopper or pack == 1 else 8, 32: 2 if alone else 4}.get(rows * pack, 1 if alone else 2)
        # Keys of one block need one entry of the list; more than that gather.
        if block == 16 or (block == 32 and pack > 1) or (rows * pack >= 64 and not hopper):
            keys = 32
        if alone and rows <= 32:
            keys = rows
    deep = hopper or dtype == torch.float32 or (rows * pack == 64 and capability == (8, 0))
    return Tiles(rows, keys, pack, warps, stages=3 if size <= 128 and deep else 2)


def forward(
    query: Tensor, key: Tensor, value: Tensor, index: Tensor, count: Tensor, block: int, *,
    starts: Tensor | None, scale: float, softcap: float | None, sinks: Tensor | None, log_sum: bool,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """`block_sparse_attention` with inputs that were checked; the last dimension of each is contiguous."""
    batch, heads, length, size = query.shape
    group = heads // key.shape[1]
    per_key_head = index.shape[1] != heads
    capability = torch.cuda.get_device_capability(query.device) if query.is_cuda else (9, 0)
    shared_heads = group & -group if per_key_head or group == 1 else 1
    tiles = tiles_for(query.dtype, max(size, value.shape[3]), block, shared_heads, capability)
    # What no row writes, padding, must read zero.
    new = query.new_empty if starts is None else query.new_zeros
    out = new(batch, length, heads, value.shape[3]).transpose(1, 2)
    sums = query.new_full((batch, heads, length), -math.inf, dtype=torch.float32) if log_sum else None
    block_sparse_forward[(-(-length // block) * (block // tiles.rows), heads // tiles.pack, batch)](
        query, key, value, out, sums, index, count, starts, sinks,
        scale if softcap is not None else scale * math.log2(math.e), softcap or 0.0,
        length, heads, index.shape[1], index.shape[2], index.shape[3],
        *query.stride()[:3], *key.stride()[:3], *value.stride()[:3], *out.stride()[:3],
        GROUP=group, PACK=tiles.pack, SIZE=size, VALUE=value.shape[3], BLOCK=block, ROWS=tiles.rows, KEYS=tiles.keys,
        PER_KEY_HEAD=per_key_head, PADDED=starts is not None, SOFTCAP=softcap is not None, SINKS=sinks is not None,
        LOG_SUM=log_sum, num_warps=tiles.warps, num_stages=tiles.stages,
    )  # fmt: skip
    return out, sums
