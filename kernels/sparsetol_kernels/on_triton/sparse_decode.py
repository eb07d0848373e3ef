"""Triton kernels of sparse decode attention: the lists are split between programs, then the pieces are merged.

All query heads of a key head are the rows of one program, so that each selected key and value is read once. Sizes of
the launch follow from shapes alone: nothing waits for the device, and a captured graph replays with other lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor

LOG2_E = 1.4426950408889634
MOST_SPLITS = 128
"""Pieces of one list: bounds the workspace, `splits * (value size + 1)` float32 for each query head."""


@dataclass(frozen=True)
class Launch:
    """How the work is cut.

    Attributes:
        tokens: list entries' tokens that a program takes in at a time.
        warps: of a program.
        stages: tiles in flight.
        programs: wanted of the whole grid, for each multiprocessor.

    """

    tokens: int
    warps: int
    stages: int
    programs: int


def default_launch(size: int, dtype: torch.dtype) -> Launch:
    """Tiles that fit the shared memory of every device from compute capability 8.0 on (99 KiB on the smallest)."""
    if dtype == torch.float32:
        return Launch(16, warps=4, stages=3, programs=4)
    return Launch(64 if size <= 128 else 32, warps=4, stages=3, programs=3)


@triton.jit
def attend_split(
    query, key, value, index, count, starts, lengths, partial, partial_lse,
    query_batch, query_head, query_size,
    key_batch, key_head, key_token, key_size,
    value_batch, value_head, value_token, value_size,
    index_batch, index_head, index_entry, count_batch, count_head,
    scale, softcap, window,
    GROUP: tl.constexpr, ROWS: tl.constexpr, SIZE: tl.constexpr, PADDED: tl.constexpr,
    VALUE_SIZE: tl.constexpr, VALUE_PADDED: tl.constexpr, PAGE: tl.constexpr, TOKENS: tl.constexpr,
    SOFTCAP: tl.constexpr, WINDOW: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One piece of one list: softmax attention over it alone, and the base-2 log of its sum of exponentials."""
    split, splits = tl.program_id(0), tl.num_programs(0)
    head, heads = tl.program_id(1), tl.num_programs(1)
    batch = tl.program_id(2)
    rows = tl.arange(0, ROWS)
    real = rows < GROUP
    query_row = batch.to(tl.int64) * heads * GROUP + head * GROUP + rows
    slots = tl.load(count + batch * count_batch + head * count_head) * PAGE
    tiles = tl.cdiv(slots, TOKENS)
    begin = (tiles * split // splits) * TOKENS
    end = tl.minimum((tiles * (split + 1) // splits) * TOKENS, slots)
    lse_at = partial_lse + query_row * splits + split
    if begin >= end:
        tl.store(lse_at, tl.full([ROWS], float("-inf"), tl.float32), mask=real)
        return
    first = tl.load(starts + batch)
    length = tl.load(lengths + batch)
    inner = tl.arange(0, PADDED)
    value_inner = tl.arange(0, VALUE_PADDED)
    q = tl.load(
        query + batch.to(tl.int64) * query_batch + (head * GROUP + rows)[:, None].to(tl.int64) * query_head
        + inner[None, :] * query_size,
        mask=real[:, None] & (inner < SIZE)[None, :], other=0.0,
    )  # fmt: skip
    key += batch.to(tl.int64) * key_batch + head.to(tl.int64) * key_head + first.to(tl.int64) * key_token
    value += batch.to(tl.int64) * value_batch + head.to(tl.int64) * value_head + first.to(tl.int64) * value_token
    index += batch.to(tl.int64) * index_batch + head.to(tl.int64) * index_head
    peak = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    out = tl.zeros([ROWS, VALUE_PADDED], tl.float32)
    for start in tl.range(begin, end, TOKENS):
        slot = start + tl.arange(0, TOKENS)
        entry = tl.load(index + (slot // PAGE) * index_entry, mask=slot < end, other=-1)
        token = entry * PAGE + slot % PAGE
        live = (entry >= 0) & (token < length)
        if WINDOW:
            live = live & (token >= length - window)
        k = tl.load(
            key + token[:, None].to(tl.int64) * key_token + inner[None, :] * key_size,
            mask=live[:, None] & (inner < SIZE)[None, :], other=0.0,
        )  # fmt: skip
        v = tl.load(
            value + token[:, None].to(tl.int64) * value_token + value_inner[None, :] * value_size,
            mask=live[:, None] & (value_inner < VALUE_SIZE)[None, :], other=0.0,
        )  # fmt: skip
        scores = tl.dot(q, k.T, input_precision=PRECISION) * scale
        if SOFTCAP:
            # tanh(x) = 1 - 2 / (exp(2x) + 1); `scale` and `softcap` are in base 2 here.
            scores = softcap * (1 - 2 / (tl.exp2(2 * 1.4426950408889634 * scores / softcap) + 1))
        scores = tl.where(live[None, :], scores, float("-inf"))
        new_peak = tl.maximum(peak, tl.max(scores, 1))
        # A row that has seen no live token yet has no peak to subtract.
        base = tl.where(new_peak == float("-inf"), 0.0, new_peak)
        weights = tl.exp2(scores - base[:, None])
        decay = tl.exp2(peak - base)
        total = total * decay + tl.sum(weights, 1)
        out = tl.dot(weights.to(v.dtype), v, out * decay[:, None], input_precision=PRECISION)
        peak = new_peak
    some = total > 0
    out = out / tl.where(some, total, 1.0)[:, None]
    tl.store(lse_at, tl.where(some, peak + tl.log2(tl.where(some, total, 1.0)), float("-inf")), mask=real)
    tl.store(
        partial + (query_row * splits + split)[:, None] * VALUE_SIZE + value_inner[None, :],
        out, mask=real[:, None] & (value_inner < VALUE_SIZE)[None, :],
    )  # fmt: skip


@triton.jit
def merge_splits(
    partial, partial_lse, sinks, out, lse, splits,
    SINKS: tl.constexpr, VALUE_SIZE: tl.constexpr, VALUE_PADDED: tl.constexpr, PIECES: tl.constexpr,
):  # fmt: skip
    """One query head: the pieces of its list weighed by their sums, the sink joining the denominator."""
    head, heads, batch = tl.program_id(0), tl.num_programs(0), tl.program_id(1)
    row = batch.to(tl.int64) * heads + head
    inner = tl.arange(0, VALUE_PADDED)
    peak = tl.full([], float("-inf"), tl.float32)
    if SINKS:
        sink = tl.load(sinks + head).to(tl.float32) * 1.4426950408889634
        peak = sink
    for start in tl.range(0, splits, PIECES):
        piece = start + tl.arange(0, PIECES)
        part = tl.load(partial_lse + row * splits + piece, mask=piece < splits, other=float("-inf"))
        peak = tl.maximum(peak, tl.max(part, 0))
    base = tl.where(peak == float("-inf"), 0.0, peak)
    total = tl.full([], 0.0, tl.float32)
    if SINKS:
        total = tl.exp2(sink - base)
    result = tl.zeros([VALUE_PADDED], tl.float32)
    for start in tl.range(0, splits, PIECES):
        piece = start + tl.arange(0, PIECES)
        part = tl.load(partial_lse + row * splits + piece, mask=piece < splits, other=float("-inf"))
        weight = tl.exp2(part - base)
        # An empty piece wrote no output: what lies there is not read.
        values = tl.load(
            partial + (row * splits + piece)[:, None] * VALUE_SIZE + inner[None, :],
            mask=(part > float("-inf"))[:, None] & (inner < VALUE_SIZE)[None, :], other=0.0,
        )  # fmt: skip
        total += tl.sum(weight, 0)
        result += tl.sum(weight[:, None] * values, 0)
    some = total > 0
    total_or_one = tl.where(some, total, 1.0)
    tl.store(out + row * VALUE_SIZE + inner, (result / total_or_one).to(out.dtype.element_ty), mask=inner < VALUE_SIZE)
    tl.store(lse + row, tl.where(some, (peak + tl.log2(total_or_one)) / 1.4426950408889634, float("-inf")))


def launch(
    query: Tensor, key: Tensor, value: Tensor, index: Tensor, count: Tensor, starts: Tensor, lengths: Tensor,
    page_size: int, scale: float, window: int | None, softcap: float | None, sinks: Tensor | None,
    how: Launch | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Run both kernels; arguments are `sparse_decode_attention`'s, already checked."""
    batch, query_heads, size = query.shape
    heads, value_size = key.shape[1], value.shape[3]
    group = query_heads // heads
    how = how or default_launch(max(size, value_size), query.dtype)
    splits = split_count(batch * heads, index.shape[2] * page_size, how, query.device)
    partial = query.new_empty((batch, query_heads, splits, value_size), dtype=torch.float32)
    partial_lse = query.new_empty((batch, query_heads, splits), dtype=torch.float32)
    out = query.new_empty((batch, query_heads, value_size))
    lse = query.new_empty((batch, query_heads), dtype=torch.float32)
    padded = triton.next_power_of_2(value_size)
    attend_split[(splits, heads, batch)](
        query, key, value, index, count, starts, lengths, partial, partial_lse,
        *query.stride(), *key.stride(), *value.stride(), *index.stride(), *count.stride(),
        scale * LOG2_E, 0.0 if softcap is None else softcap * LOG2_E, 0 if window is None else window,
        GROUP=group, ROWS=max(16, triton.next_power_of_2(group)),
        SIZE=size, PADDED=max(16, triton.next_power_of_2(size)), VALUE_SIZE=value_size, VALUE_PADDED=max(16, padded),
        PAGE=page_size, TOKENS=how.tokens, SOFTCAP=softcap is not None, WINDOW=window is not None,
        PRECISION="ieee" if query.dtype == torch.float32 else "tf32",
        num_warps=how.warps, num_stages=how.stages,
    )  # fmt: skip
    merge_splits[(query_heads, batch)](
        partial, partial_lse, partial_lse if sinks is None else sinks, out, lse, splits,
        SINKS=sinks is not None, VALUE_SIZE=value_size, VALUE_PADDED=padded,
        PIECES=min(64, triton.next_power_of_2(splits)), num_warps=4,
    )  # fmt: skip
    return out, lse


def split_count(lists: int, tokens: int, how: Launch, device: torch.device) -> int:
    """Pieces of each list: enough to fill the device, at least one tile each."""
    wanted = how.programs * multiprocessors(device) // max(1, lists)
    return max(1, min(wanted, -(-tokens // how.tokens), MOST_SPLITS))


@cache
def multiprocessors(device: torch.device) -> int:
    """Of a CUDA device; 4 on a CPU, where the interpreter is to walk through several pieces."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 4
