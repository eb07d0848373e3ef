"""Attention over columns and diagonals in plain Triton: merged ranges first, then gathered columns outside of them."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import triton
import triton.language as tl
from torch import Tensor

from sparsetol_kernels.lines import crossed
from sparsetol_kernels.on_triton.block_sparse import Tiles, tiles_for
from sparsetol_kernels.on_triton.softmax import absorb, add_sink, finish, scaled


@triton.jit
def vertical_slash_forward(
    Q, K, V, Out, LogSum, Near, Wide, Ranges, Columns, Upto, Met, Sinks,
    scale, softcap, length, heads, row_blocks, most_ranges, most_columns, reach,
    q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row, out_batch, out_head, out_row,
    GROUP: tl.constexpr, SIZE: tl.constexpr, VALUE: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr,
    KEYS: tl.constexpr, SOFTCAP: tl.constexpr, SINKS: tl.constexpr, LOG_SUM: tl.constexpr,
):  # fmt: skip
    """Grid: (row tiles, query heads, batch).

    Ranges are cut into tiles of KEYS, each known by how far its last key lies before the row block's first row (`Near`,
    ascending; negative inside the block) and by its keys (`Wide`); `Ranges` says how many begin inside the prompt.
    Columns are ascending; `Upto` of them lie before the row block's end. A column that a range
    holds as well (`Met`, by distance) is masked.
    """
    tile = tl.num_programs(0) - 1 - tl.program_id(0)
    head = tl.program_id(1).to(tl.int64)
    batch = tl.program_id(2).to(tl.int64)
    key_head = head // GROUP
    row_block = tile // (BLOCK // ROWS)
    first = row_block * BLOCK
    row = tile * ROWS + tl.arange(0, ROWS)
    here = row < length

    WIDE: tl.constexpr = triton.next_power_of_2(SIZE)
    WIDE_VALUE: tl.constexpr = triton.next_power_of_2(VALUE)
    channel = tl.arange(0, WIDE)
    value_channel = tl.arange(0, WIDE_VALUE)
    q_at = batch * q_batch + head * q_head + row.to(tl.int64) * q_row
    query = tl.load(Q + q_at[:, None] + channel[None, :], mask=here[:, None] & (channel < SIZE)[None, :], other=0.0)
    k_from = K + batch * k_batch + key_head * k_head
    v_from = V + batch * v_batch + key_head * v_head

    owner = batch * heads + head
    ranges = tl.load(Ranges + owner * row_blocks + row_block)
    upto = tl.load(Upto + owner * row_blocks + row_block)
    near = Near + owner * most_ranges
    wide = Wide + owner * most_ranges
    columns = Columns + owner * most_columns
    met = Met + owner * reach + BLOCK - 1

    acc = tl.zeros([ROWS, WIDE_VALUE], tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    peak = tl.full([ROWS], float("-inf"), tl.float32)
    within = tl.arange(0, KEYS)
    for j in tl.range(0, ranges):
        key = first - tl.load(near + j) - within
        inside = (within < tl.load(wide + j)) & (key >= 0) & (key < length)
        at = key.to(tl.int64)
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
    for begin in tl.range(0, upto, KEYS):
        listed = begin + within < upto
        key = tl.load(columns + begin + within, mask=listed, other=0)
        inside = listed & (tl.load(met + first - key, mask=listed, other=1) == 0)
        at = key.to(tl.int64)
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
        acc, total, peak = add_sink(tl.load(Sinks + head).to(tl.float32), acc, total, peak)
    out, log_sum = finish(acc, total, peak)
    out_at = batch * out_batch + head * out_head + row.to(tl.int64) * out_row
    tl.store(
        Out + out_at[:, None] + value_channel[None, :], out.to(Out.dtype.element_ty),
        mask=here[:, None] & (value_channel < VALUE)[None, :],
    )  # fmt: skip
    if LOG_SUM:
        tl.store(LogSum + owner * length + row, log_sum, mask=here)


def line_tiles(dtype: torch.dtype, size: int, block: int, capability: tuple[int, int]) -> Tiles:
    """Tiles as block-sparse attention's, smaller where the addresses of gathered keys would spill."""
    tiles = tiles_for(dtype, size, block, 1, capability)
    if size > 128 or dtype == torch.float32:
        return replace(tiles, keys=max(16, tiles.keys // 2), stages=2)
    return tiles


def listed_columns(columns: Tensor) -> Tensor:
    """The set places of each row of `[rows, length]`, ascending, then `length`: int32 `[rows, length]`."""
    length = columns.shape[1]
    position = torch.arange(length, device=columns.device, dtype=torch.int32).expand_as(columns)
    place = columns.cumsum(dim=1).sub_(1).where(columns, length)
    return (
        position.new_full((columns.shape[0], length + 1), length).scatter_(1, place, position)[:, :length].contiguous()
    )


def cut_ranges(met: Tensor, block: int, keys: int) -> tuple[Tensor, Tensor]:
    """Runs of set places of `[rows, places]`, cut into tiles of at most `keys`.

    Returns:
        How far each tile's last key lies before a row block's first row, ascending, negative inside the block; and its
        keys: int32 `[rows, tiles]`, with room for the most tiles that there can be; the rest begin after the prompt.

    """
    rows, places = met.shape
    # Every run is at least `block` places wide, but for one that the end cuts off.
    most = places // keys + places // (block + 1) + 2
    place = torch.arange(places, device=met.device, dtype=torch.int32).expand_as(met)
    ahead = torch.nn.functional.pad(met[:, :-1], (1, 0))
    run_start = place.where(met & ~ahead, 0).cummax(dim=1).values
    head = met & ((place - run_start) % keys == 0)
    number = head.cumsum(dim=1)
    slot = (number - 1).where(head, most)
    near = place.new_full((rows, most + 1), places).scatter_(1, slot, place)[:, :most] - (block - 1)
    wide = place.new_zeros(rows, most + 1).scatter_add_(1, (number - 1).where(met, most), met.int())[:, :most]
    return near.contiguous(), wide.contiguous()


def forward(
    query: Tensor, key: Tensor, value: Tensor, columns: Tensor, slashes: Tensor, block: int, *,
    scale: float, softcap: float | None, sinks: Tensor | None, log_sum: bool,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """`vertical_slash_attention` with inputs that were checked; the last dimension of q, k and v is contiguous."""
    batch, heads, length, size = query.shape
    capability = torch.cuda.get_device_capability(query.device) if query.is_cuda else (9, 0)
    tiles = line_tiles(query.dtype, max(size, value.shape[3]), block, capability)
    starts = torch.arange(0, length, block, device=query.device, dtype=torch.int32)
    met = crossed(slashes.flatten(0, 1), block)
    near, wide = cut_ranges(met, block, tiles.keys)
    listed = listed_columns(columns.flatten(0, 1))
    each = starts.expand(batch * heads, -1).contiguous()
    ranges = torch.searchsorted(near, each, right=True, out_int32=True)
    upto = torch.searchsorted(listed, (each + block).clamp(max=length), out_int32=True)
    out = query.new_empty(batch, length, heads, value.shape[3]).transpose(1, 2)
    sums = query.new_empty((batch, heads, length), dtype=torch.float32) if log_sum else None
    vertical_slash_forward[(len(starts) * (block // tiles.rows), heads, batch)](
        query, key, value, out, sums, near, wide, ranges, listed, upto, met.view(torch.uint8), sinks,
        scale if softcap is not None else scale * math.log2(math.e), softcap or 0.0,
        length, heads, len(starts), near.shape[1], listed.shape[1], met.shape[1],
        *query.stride()[:3], *key.stride()[:3], *value.stride()[:3], *out.stride()[:3],
        GROUP=heads // key.shape[1], SIZE=size, VALUE=value.shape[3], BLOCK=block, ROWS=tiles.rows, KEYS=tiles.keys,
        SOFTCAP=softcap is not None, SINKS=sinks is not None, LOG_SUM=log_sum,
        num_warps=tiles.warps, num_stages=tiles.stages,
    )  # fmt: skip
    return out, sums
