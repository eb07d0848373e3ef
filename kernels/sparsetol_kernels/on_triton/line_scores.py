"""Attention of the last queries summed over columns and diagonals, in plain Triton, tile by tile."""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

DENOMINATORS = {"num_warps": 4, "num_stages": 2}
LINES = {"num_warps": 8, "num_stages": 2}
"""How Triton runs `partial_sums`, where a warp holds whole rows, and `line_sums`, which holds more a row."""
CHUNK = 2048
"""Keys that one program of the first pass goes through."""

FOLDED = 1024
"""Offsets that one program of `fold_slashes` sums."""


@triton.jit
def _rows(Source, at, row, inside, SIZE: tl.constexpr):
    """Rows of queries or keys, zero where not `inside`."""
    channel = tl.arange(0, triton.next_power_of_2(SIZE))
    return tl.load(
        Source + row.to(tl.int64)[:, None] * at + channel[None, :],
        mask=inside[:, None] & (channel < SIZE)[None, :], other=0.0,
    )  # fmt: skip


@triton.jit
def _logits(q, k, row, key, length, window, scale):
    """Logits in base 2 of query rows (counted in the window) and keys; -inf where a key lies after its query."""
    seen = (row < window)[:, None] & (key[None, :] <= (length - window + row)[:, None])
    return tl.where(seen, tl.dot(q, k.T, input_precision="ieee") * scale, float("-inf"))


@triton.jit
def partial_sums(
    Q, K, Peaks, Totals, scale, length, window, chunks, q_head, q_row, k_head, k_row,
    GROUP: tl.constexpr, SIZE: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """Grid: (chunks of keys, row tiles, query heads). Peak and denominator of each row over one chunk."""
    chunk, tile, head = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = tile * ROWS + tl.arange(0, ROWS)
    q = _rows(Q + head * q_head, q_row, length - window + row, row < window, SIZE)
    peak = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    for begin in tl.range(chunk * CHUNK, tl.minimum(chunk * CHUNK + CHUNK, length), KEYS):
        key = begin + tl.arange(0, KEYS)
        k = _rows(K + head // GROUP * k_head, k_row, key, key < length, SIZE)
        logit = _logits(q, k, row, key, length, window, scale)
        higher = tl.maximum(peak, tl.max(logit, 1))
        pivot = tl.where(higher == float("-inf"), 0.0, higher)
        total = total * tl.exp2(peak - pivot) + tl.sum(tl.exp2(logit - pivot[:, None]), 1)
        peak = higher
    at = (head * chunks + chunk) * (tl.num_programs(1) * ROWS) + row
    tl.store(Peaks + at, peak)
    tl.store(Totals + at, total)


@triton.jit
def line_sums(
    Q, K, LogSum, Columns, Partial, scale, length, window, row_tiles, q_head, q_row, k_head, k_row,
    GROUP: tl.constexpr, SIZE: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """Grid: (tiles of keys, query heads). Columns' sums, and those of the diagonals inside each tile of rows and keys.

    A tile's diagonal d holds its entries at (row, row + TILE - 1 - d), row and key counted in the tile; the last of
    2 * TILE is none. Keys are turned round by a row's number, so that diagonals d and d + TILE lie in one column.
    """
    tile, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    within = tl.arange(0, TILE)
    key = tile * TILE + within
    k = _rows(K + head // GROUP * k_head, k_row, key, key < length, SIZE)
    turned = (within[:, None] + (TILE - 1) - within[None, :]) % TILE
    first = within[:, None] <= within[None, :]
    paid = tl.zeros([TILE, TILE], tl.float32)
    partial = Partial + (head * tl.num_programs(0) + tile) * row_tiles * (2 * TILE)
    for number in tl.range(0, row_tiles):
        row = number * TILE + within
        q = _rows(Q + head * q_head, q_row, length - window + row, row < window, SIZE)
        logit = _logits(q, k, row, key, length, window, scale)
        weight = tl.exp2(logit - tl.load(LogSum + (head * row_tiles + number) * TILE + within)[:, None])
        paid += weight
        weight = tl.gather(weight, turned, 1)
        tl.store(partial + number * (2 * TILE) + within, tl.sum(tl.where(first, weight, 0.0), 0))
        tl.store(partial + number * (2 * TILE) + TILE + within, tl.sum(tl.where(first, 0.0, weight), 0))
    tl.store(Columns + head * length + key, tl.sum(paid, 0), mask=key < length)


@triton.jit
def fold_slashes(
    Partial, Slashes, length, window, row_tiles, key_tiles, TILE: tl.constexpr, FOLDED: tl.constexpr
):  # fmt: skip
    """Grid: (tiles of offsets, heads). A diagonal's parts, two tiles of keys for each of rows, in a fixed order."""
    head = tl.program_id(1).to(tl.int64)
    offset = tl.program_id(0) * FOLDED + tl.arange(0, FOLDED)
    total = tl.zeros([FOLDED], tl.float32)
    for number in tl.range(0, row_tiles):
        # What the tile's first row meets at the offset, counted from `row_tiles` tiles before the first key.
        met = length - window + (number + row_tiles) * TILE - offset
        for ahead in tl.static_range(2):
            tile = met // TILE - row_tiles + ahead
            diagonal = (ahead + 1) * TILE - 1 - met % TILE
            total += tl.load(
                Partial + ((head * key_tiles + tile) * row_tiles + number) * (2 * TILE) + diagonal,
                mask=(offset < length) & (tile >= 0) & (tile < key_tiles), other=0.0,
            )  # fmt: skip
    tl.store(Slashes + head * length + offset, total, mask=offset < length)


def tile_for(dtype: torch.dtype, size: int) -> int:
    """Rows, and keys, of a tile that does not spill."""
    if dtype == torch.float32:
        return 16
    return 64 if size <= 128 else 32


def line_scores(query: Tensor, key: Tensor, scale: float, window: int) -> tuple[Tensor, Tensor]:
    """`vertical_slash_scores` without the score matrix; the last dimension of each is contiguous."""
    heads, length, size = query.shape
    group = heads // key.shape[0]
    window = min(window, length)
    tile = tile_for(query.dtype, size)
    row_tiles, key_tiles, chunks = -(-window // tile), -(-length // tile), -(-length // CHUNK)
    rows = row_tiles * tile
    scale *= math.log2(math.e)
    steps = (*query.stride()[:2], *key.stride()[:2])
    peaks, totals = (query.new_empty(heads, chunks, rows, dtype=torch.float32) for _ in range(2))
    partial_sums[(chunks, row_tiles, heads)](
        query, key, peaks, totals, scale, length, window, chunks, *steps,
        GROUP=group, SIZE=size, ROWS=tile, KEYS=tile, CHUNK=CHUNK, **DENOMINATORS,
    )  # fmt: skip
    peak = peaks.amax(dim=1)
    # Rows that fill up the last tile have no key; any finite number serves.
    log_sum = peak + torch.log2((totals * torch.exp2(peaks - peak[:, None])).sum(dim=1))
    log_sum = log_sum.nan_to_num(nan=0.0).contiguous()
    columns, slashes = (query.new_empty(heads, length, dtype=torch.float32) for _ in range(2))
    partial = query.new_empty(heads, key_tiles, row_tiles, 2 * tile, dtype=torch.float32)
    line_sums[(key_tiles, heads)](
        query, key, log_sum, columns, partial, scale, length, window, row_tiles, *steps,
        GROUP=group, SIZE=size, TILE=tile, **LINES,
    )  # fmt: skip
    fold_slashes[(-(-length // FOLDED), heads)](
        partial, slashes, length, window, row_tiles, key_tiles, TILE=tile, FOLDED=FOLDED
    )
    return columns, slashes
