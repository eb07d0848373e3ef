"""Attention of the last queries summed over columns and diagonals, in plain Triton, tile by tile."""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

LAUNCH = {"num_warps": 8, "num_stages": 2}
CHUNK = 2048
"""Keys that one program of the first pass goes through."""


@triton.jit
def _logits(Q, K, row, key, length, window, q_row, k_row, scale, SIZE: tl.constexpr):
    """Logits in base 2 of query rows (counted in the window) and keys; -inf where a key lies after its query."""
    channel = tl.arange(0, triton.next_power_of_2(SIZE))
    position = length - window + row
    here = row < window
    there = (key >= 0) & (key < length)
    q = tl.load(
        Q + position.to(tl.int64)[:, None] * q_row + channel[None, :],
        mask=here[:, None] & (channel < SIZE)[None, :], other=0.0,
    )  # fmt: skip
    k = tl.load(
        K + key.to(tl.int64)[None, :] * k_row + channel[:, None],
        mask=there[None, :] & (channel < SIZE)[:, None], other=0.0,
    )  # fmt: skip
    seen = (here[:, None] & there[None, :]) & (key[None, :] <= position[:, None])
    return tl.where(seen, tl.dot(q, k, input_precision="ieee") * scale, float("-inf"))


@triton.jit
def partial_sums(
    Q, K, Peaks, Totals, scale, length, window, chunks, q_head, q_row, k_head, k_row,
    GROUP: tl.constexpr, SIZE: tl.constexpr, TILE: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """Grid: (chunks of keys, row tiles, query heads). Peak and denominator of each row over one chunk."""
    chunk, tile, head = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = tile * TILE + tl.arange(0, TILE)
    peak = tl.full([TILE], float("-inf"), tl.float32)
    total = tl.zeros([TILE], tl.float32)
    for begin in tl.range(chunk * CHUNK, tl.minimum(chunk * CHUNK + CHUNK, length), TILE):
        key = begin + tl.arange(0, TILE)
        logit = _logits(
            Q + head * q_head, K + head // GROUP * k_head, row, key, length, window, q_row, k_row, scale, SIZE
        )
        higher = tl.maximum(peak, tl.max(logit, 1))
        pivot = tl.where(higher == float("-inf"), 0.0, higher)
        total = total * tl.exp2(peak - pivot) + tl.sum(tl.exp2(logit - pivot[:, None]), 1)
        peak = higher
    at = (head * chunks + chunk) * (tl.num_programs(1) * TILE) + row
    tl.store(Peaks + at, peak)
    tl.store(Totals + at, total)


@triton.jit
def column_sums(
    Q, K, LogSum, Out, scale, length, window, rows, q_head, q_row, k_head, k_row,
    GROUP: tl.constexpr, SIZE: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """Grid: (tiles of keys, query heads)."""
    head = tl.program_id(1).to(tl.int64)
    key = tl.program_id(0) * TILE + tl.arange(0, TILE)
    total = tl.zeros([TILE], tl.float32)
    for begin in tl.range(0, rows, TILE):
        row = begin + tl.arange(0, TILE)
        logit = _logits(
            Q + head * q_head, K + head // GROUP * k_head, row, key, length, window, q_row, k_row, scale, SIZE
        )
        total += tl.sum(tl.exp2(logit - tl.load(LogSum + head * rows + row)[:, None]), 0)
    tl.store(Out + head * length + key, total, mask=key < length)


@triton.jit
def slash_sums(
    Q, K, LogSum, Out, scale, length, window, rows, q_head, q_row, k_head, k_row,
    GROUP: tl.constexpr, SIZE: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """Grid: (tiles of offsets, query heads).

    The keys that TILE rows meet at TILE offsets span two tiles; each row takes its own from them.
    """
    head = tl.program_id(1).to(tl.int64)
    place = tl.arange(0, TILE)
    first = tl.program_id(0) * TILE
    total = tl.zeros([TILE], tl.float32)
    for begin in tl.range(0, rows, TILE):
        row = begin + place
        key = length - window + begin - first - (TILE - 1) + tl.arange(0, 2 * TILE)
        logit = _logits(
            Q + head * q_head, K + head // GROUP * k_head, row, key, length, window, q_row, k_row, scale, SIZE
        )
        weight = tl.exp2(logit - tl.load(LogSum + head * rows + row)[:, None])
        total += tl.sum(tl.gather(weight, place[:, None] + (TILE - 1) - place[None, :], 1), 0)
    tl.store(Out + head * length + first + place, total, mask=first + place < length)


def tile_for(dtype: torch.dtype, size: int) -> int:
    """Rows, and keys, of a tile that does not spill."""
    return 64 if dtype != torch.float32 and size <= 128 else 32


def line_scores(query: Tensor, key: Tensor, scale: float, window: int) -> tuple[Tensor, Tensor]:
    """`vertical_slash_scores` without the score matrix; the last dimension of each is contiguous."""
    heads, length, size = query.shape
    group = heads // key.shape[0]
    window = min(window, length)
    tile = tile_for(query.dtype, size)
    tiles, chunks = -(-window // tile), -(-length // CHUNK)
    rows = tiles * tile
    scale *= math.log2(math.e)
    steps = (*query.stride()[:2], *key.stride()[:2])
    peaks, totals = (query.new_empty(heads, chunks, rows, dtype=torch.float32) for _ in range(2))
    partial_sums[(chunks, tiles, heads)](
        query, key, peaks, totals, scale, length, window, chunks, *steps,
        GROUP=group, SIZE=size, TILE=tile, CHUNK=CHUNK, **LAUNCH,
    )  # fmt: skip
    peak = peaks.amax(dim=1)
    # Rows that fill up the last tile have no key; any finite number serves.
    log_sum = peak + torch.log2((totals * torch.exp2(peaks - peak[:, None])).sum(dim=1))
    log_sum = log_sum.nan_to_num(nan=0.0).contiguous()
    out = []
    for kernel in (column_sums, slash_sums):
        sums = query.new_empty(heads, length, dtype=torch.float32)
        kernel[(-(-length // tile), heads)](
            query, key, log_sum, sums, scale, length, window, rows, *steps,
            GROUP=group, SIZE=size, TILE=tile, **LAUNCH,
        )  # fmt: skip
        out.append(sums)
    return out[0], out[1]
