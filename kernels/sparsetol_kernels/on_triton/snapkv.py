"""Triton kernels of SnapKV's scores: row sums first, then weights summed or compared down each key's column.

Neither the scores nor the softmax of the window's queries are stored: each is computed twice instead.
"""

from __future__ import annotations

from typing import Literal

import torch
import triton
import triton.language as tl
from torch import Tensor

LOG2_E = 1.4426950408889634
KEYS_OF_A_PIECE = 2048
"""Keys whose exponentials one program sums for a tile of rows."""


@triton.jit
def _logits(
    query, key, head, key_head, row, column, rows, length, scale,
    query_head, query_row, query_size, key_head_stride, key_row, key_size,
    SIZE: tl.constexpr, PADDED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Base-2 logits of rows of the window and columns, -inf after each row's own position and for rows not there."""
    inner = tl.arange(0, PADDED)
    q = tl.load(
        query + head * query_head + (length - rows + row)[:, None].to(tl.int64) * query_row + inner * query_size,
        mask=(row < rows)[:, None] & (inner < SIZE)[None, :], other=0.0,
    )  # fmt: skip
    k = tl.load(
        key + key_head * key_head_stride + column[:, None].to(tl.int64) * key_row + inner * key_size,
        mask=(column < length)[:, None] & (inner < SIZE)[None, :], other=0.0,
    )  # fmt: skip
    product = tl.dot(q, k.T, input_precision=PRECISION) * scale
    seen = (column[None, :] <= (length - rows + row)[:, None]) & (row < rows)[:, None]
    return tl.where(seen, product, float("-inf"))


@triton.jit
def sum_rows(
    query, key, sums, rows, length, scale,
    query_head, query_row, query_size, key_head_stride, key_row, key_size,
    GROUP: tl.constexpr, SIZE: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr,
    PIECE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Base-2 log of each row's sum of exponentials over one piece of the keys."""
    head, heads = tl.program_id(1).to(tl.int64), tl.num_programs(1)
    piece = tl.program_id(2)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    peak = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    for start in tl.range(piece * PIECE, tl.minimum((piece + 1) * PIECE, length), KEYS):
        logit = _logits(
            query, key, head, head // GROUP, row, start + tl.arange(0, KEYS), rows, length, scale,
            query_head, query_row, query_size, key_head_stride, key_row, key_size, SIZE, PADDED, PRECISION,
        )  # fmt: skip
        higher = tl.maximum(peak, tl.max(logit, 1))
        base = tl.where(higher == float("-inf"), 0.0, higher)
        total = total * tl.exp2(peak - base) + tl.sum(tl.exp2(logit - base[:, None]), 1)
        peak = higher
    some = total > 0
    result = tl.where(some, peak + tl.log2(tl.where(some, total, 1.0)), float("-inf"))
    tl.store(sums + (piece * heads + head) * rows + row, result, mask=row < rows)


@triton.jit
def fold_columns(
    query, key, sums, paid, rows, length, scale,
    query_head, query_row, query_size, key_head_stride, key_row, key_size,
    GROUP: tl.constexpr, SIZE: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr,
    LARGEST: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """For each key of a tile the sum, or the largest, of the weights that the group's rows pay it."""
    key_head = tl.program_id(1).to(tl.int64)
    column = tl.program_id(0) * KEYS + tl.arange(0, KEYS)
    result = tl.zeros([KEYS], tl.float32)
    for member in tl.range(0, GROUP):
        head = key_head * GROUP + member
        for first in tl.range(0, rows, ROWS):
            row = first + tl.arange(0, ROWS)
            logit = _logits(
                query, key, head, key_head, row, column, rows, length, scale,
                query_head, query_row, query_size, key_head_stride, key_row, key_size, SIZE, PADDED, PRECISION,
            )  # fmt: skip
            sum_of_row = tl.load(sums + head * rows + row, mask=row < rows, other=0.0)
            weight = tl.exp2(logit - sum_of_row[:, None])
            if LARGEST:
                result = tl.maximum(result, tl.max(weight, 0))
            else:
                result += tl.sum(weight, 0)
    if not LARGEST:
        result = result / GROUP
    tl.store(paid + key_head * length + column, result, mask=column < length)


def launch(query: Tensor, key: Tensor, scale: float, rows: int, over: Literal["mean", "max"]) -> Tensor:
    """What the last `rows` queries pay to each key, float32 `[key heads, length]`; arguments are checked already."""
    heads, length, size = query.shape
    key_heads = key.shape[0]
    tile = tiles(size, query.dtype)
    pieces = triton.cdiv(length, KEYS_OF_A_PIECE)
    shape = {
        "GROUP": heads // key_heads, "SIZE": size, "PADDED": max(16, triton.next_power_of_2(size)),
        "PRECISION": "ieee" if query.dtype == torch.float32 else "tf32", **tile, **warps_and_stages(query.dtype),
    }  # fmt: skip
    partial = query.new_empty((pieces, heads, rows), dtype=torch.float32)
    sum_rows[(triton.cdiv(rows, tile["ROWS"]), heads, pieces)](
        query, key, partial, rows, length, scale * LOG2_E, *query.stride(), *key.stride(),
        PIECE=KEYS_OF_A_PIECE, **shape,
    )  # fmt: skip
    # The logarithms are to base 2.
    sums = partial[0] if pieces == 1 else (partial / LOG2_E).logsumexp(dim=0) * LOG2_E
    paid = query.new_empty((key_heads, length), dtype=torch.float32)
    fold_columns[(triton.cdiv(length, tile["KEYS"]), key_heads)](
        query, key, sums, paid, rows, length, scale * LOG2_E, *query.stride(), *key.stride(),
        LARGEST=over == "max", **shape,
    )  # fmt: skip
    return paid


def tiles(size: int, dtype: torch.dtype) -> dict[str, int]:
    """Rows and keys of a tile."""
    if dtype == torch.float32:
        return {"ROWS": 32, "KEYS": 32}
    return {"ROWS": 64, "KEYS": 128 if size <= 128 else 64}


def warps_and_stages(dtype: torch.dtype) -> dict[str, int]:
    """How Triton runs such tiles; with four warps, 3.9 spills registers in float32."""
    return {"num_warps": 8 if dtype == torch.float32 else 4, "num_stages": 2}
