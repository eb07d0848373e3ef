"""Attention over columns and diagonals in plain Triton: merged ranges first, then gathered columns outside of them."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import triton
import triton.language as tl
from torch import Tensor

from sparsetol_kernels.backend import capability_of
from sparsetol_kernels.on_triton.block_sparse import Tiles, tiles_for
from sparsetol_kernels.on_triton.descriptors import described
from sparsetol_kernels.on_triton.scans import running_max
from sparsetol_kernels.on_triton.softmax import absorb, add_sink, finish, scaled

TILE = 512
"""Places, or keys, that one program of `met_places` and one of `line_index` take."""


@triton.jit
def _met(slashes, offset, own_inside, before, length):
    """Whether an offset up to here in the row, or one from `before` on in the row ahead of it, is a diagonal's."""
    own = tl.load(slashes + offset, mask=own_inside & (offset < length), other=0).to(tl.int32)
    earlier = tl.load(slashes + before, mask=(before >= 0) & (before < length), other=0).to(tl.int32)
    return running_max(own, 1) | running_max(earlier, 1, reverse=True)


@triton.jit
def met_places(
    Slashes, Columns, Met, Start, Open, First, Chosen, length, places, BLOCK: tl.constexpr, KEYS: tl.constexpr,
    TILE: tl.constexpr,
):  # fmt: skip
    """Grid: (tiles of places, heads). Whether one of the last BLOCK offsets is a diagonal's, as of `lines.crossed`.

    And of each tile of places what those after it must know: where the last run of met places starts that does so here,
    or -1; how many places from the first on go on with a run; how many tiles of KEYS begin in other runs. And how many
    columns are chosen among as many keys.
    """
    tile, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    slashes = Slashes + head * length
    begin = (tile * (TILE // BLOCK) + tl.arange(0, TILE // BLOCK)) * BLOCK
    offset = begin[:, None] + tl.arange(0, BLOCK)[None, :]
    met = _met(slashes, offset, offset >= 0, offset - (BLOCK - 1), length)
    behind = _met(slashes, offset - 1, offset > begin[:, None], offset - BLOCK, length)
    tl.store(Met + head * places + offset, met.to(tl.uint8), mask=offset < places)
    met = met & (offset < places).to(tl.int32)
    place = tl.reshape(offset, [TILE])
    met, starts = tl.reshape(met, [TILE]) != 0, tl.reshape(met & (behind == 0), [TILE]) != 0
    run = running_max(tl.where(starts, place, -1), 0)
    first = met & (run >= 0) & ((place - run) % KEYS == 0)
    goes_on = tl.min(tl.where(met & (starts == 0), TILE, place - tile * TILE), 0)
    at = head * tl.num_programs(0) + tile
    tl.store(Start + at, tl.max(run, 0))
    tl.store(Open + at, goes_on)
    tl.store(First + at, tl.sum(first.to(tl.int32), 0))
    chosen = tl.load(Columns + head * length + place, mask=place < length, other=0) != 0
    tl.store(Chosen + at, tl.sum(chosen.to(tl.int32), 0))


@triton.jit
def line_index(
    Met, Columns, Start, Open, First, Chosen, Near, Wide, Ranges, Listed, Upto,
    length, places, most_ranges, row_blocks,
    BLOCK: tl.constexpr, KEYS: tl.constexpr, TILE: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """Grid: (tiles of places, heads, 2). Indexes the diagonals for `vertical_slash_forward`, or the columns.

    Runs of met places are cut into tiles of KEYS.
    """
    tile, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    other = tl.arange(0, TILES)
    summaries, ahead_of_it = head * tl.num_programs(0) + other, other < tile
    if tl.program_id(2) == 0:
        # The run that is under way where each tile before this one begins, and what of it begins a tile of KEYS there.
        since = tl.load(Start + summaries - 1, mask=(other > 0) & (other <= tile), other=-1)
        since = running_max(since, 0)
        start = tl.max(since, 0)
        goes_on = tl.load(Open + summaries, mask=ahead_of_it, other=0)
        from_start = other * TILE - since
        here = (from_start + goes_on + KEYS - 1) // KEYS - (from_start + KEYS - 1) // KEYS
        before = tl.load(First + summaries, mask=ahead_of_it, other=0) + tl.where(goes_on > 0, here, 0)
        before = tl.sum(tl.where(ahead_of_it, before, 0), 0)
        met_from = Met + head * places
        near = Near + head * most_ranges
        wide = Wide + head * most_ranges
        place = tile * TILE + tl.arange(0, TILE)
        met = tl.load(met_from + place, mask=place < places, other=0) != 0
        behind = tl.load(met_from + place - 1, mask=(place > 0) & (place <= places), other=0) != 0
        ahead = tl.load(met_from + place + 1, mask=place + 1 < places, other=0) != 0
        run = tl.maximum(running_max(tl.where(met & (behind == 0), place, -1), 0), start)
        first = met & ((place - run) % KEYS == 0)
        number = before + tl.cumsum(first.to(tl.int32), 0)
        tl.store(near + number - 1, place - (BLOCK - 1), mask=first)
        ends = met & ((ahead == 0) | ((place + 1 - run) % KEYS == 0))
        tl.store(wide + number - 1, (place - run) % KEYS + 1, mask=ends)
        row_block = place // BLOCK
        closes = (place % BLOCK == BLOCK - 1) & (row_block < row_blocks)
        tl.store(Ranges + head * row_blocks + row_block, number, mask=closes)
    else:
        before = tl.sum(tl.load(Chosen + summaries, mask=ahead_of_it, other=0), 0)
        key = tile * TILE + tl.arange(0, TILE)
        chosen = tl.load(Columns + head * length + key, mask=key < length, other=0) != 0
        number = before + tl.cumsum(chosen.to(tl.int32), 0)
        tl.store(Listed + head * length + number - 1, key, mask=chosen)
        closes = (key < length) & ((key % BLOCK == BLOCK - 1) | (key == length - 1))
        tl.store(Upto + head * row_blocks + key // BLOCK, number, mask=closes)


@triton.jit
def vertical_slash_forward(
    Q, K, V, KeyRows, ValueRows, Out, LogSum, Near, Wide, Ranges, Columns, Upto, Met, Sinks,
    scale, softcap, length, heads, row_blocks, most_ranges, most_columns, reach,
    q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row, out_batch, out_head, out_row,
    GROUP: tl.constexpr, SIZE: tl.constexpr, VALUE: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr,
    KEYS: tl.constexpr, SOFTCAP: tl.constexpr, SINKS: tl.constexpr, LOG_SUM: tl.constexpr,
):  # fmt: skip
    """Grid: (row tiles, query heads, batch).

    Ranges are cut into tiles of KEYS, each known by how far its last key lies before the row block's first row (`Near`,
    ascending; negative inside the block) and by its keys (`Wide`); `Ranges` says how many begin inside the prompt.
    Columns are ascending; `Upto` of them lie before the row block's end. A column that a range
    holds as well (`Met`, by distance) is masked. Where `KeyRows` and `ValueRows` describe keys and values, the tensor
    memory accelerator loads ranges; rows before the first and after the last read zero.
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
        begin = first - tl.load(near + j) - (KEYS - 1)
        kept = tl.load(wide + j)
        key = begin + within
        if KeyRows is not None:
            k = KeyRows.load([tl.program_id(2), tl.program_id(1) // GROUP, begin, 0]).reshape([KEYS, WIDE]).T
        else:
            inside = (key >= 0) & (key < length)
            at = key.to(tl.int64)
            k = tl.load(
                k_from + at[None, :] * k_row + channel[:, None], mask=inside[None, :] & (channel < SIZE)[:, None],
                other=0.0,
            )  # fmt: skip
        logit = scaled(tl.dot(query, k, input_precision="ieee"), scale, softcap, SOFTCAP)
        # A range's last keys are kept; most tiles are whole, after the first key, and before the first row's own.
        if (kept < KEYS) | (begin < 0) | (begin + KEYS - 1 > first):
            seen = (key > begin + KEYS - 1 - kept) & (key >= 0)
            logit = tl.where(seen[None, :] & (key[None, :] <= row[:, None]), logit, float("-inf"))
        if ValueRows is not None:
            v = ValueRows.load([tl.program_id(2), tl.program_id(1) // GROUP, begin, 0]).reshape([KEYS, WIDE_VALUE])
        else:
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


def line_lists(slashes: Tensor, columns: Tensor, block: int, keys: int) -> tuple[Tensor, ...]:
    """What `met_places` and `line_index` make of bool `[rows, length]`: near, wide, ranges, listed, upto and met."""
    rows, length = slashes.shape
    places, row_blocks = length + block - 1, -(-length // block)
    # Every run is at least `block` places wide, but for one that the end cuts off.
    most = places // keys + places // (block + 1) + 2
    near, wide = torch.empty(2, rows, most, dtype=torch.int32, device=slashes.device)
    ranges, upto = torch.empty(2, rows, row_blocks, dtype=torch.int32, device=slashes.device)
    listed = torch.empty(rows, length, dtype=torch.int32, device=slashes.device)
    met = torch.empty(rows, places, dtype=torch.uint8, device=slashes.device)
    tiles = triton.cdiv(places, TILE)
    summaries = torch.empty(4, rows, tiles, dtype=torch.int32, device=slashes.device).unbind()
    slashes, columns = (lines.contiguous().view(torch.uint8) for lines in (slashes, columns))
    met_places[(tiles, rows)](
        slashes, columns, met, *summaries, length, places, BLOCK=block, KEYS=keys, TILE=TILE
    )  # fmt: skip
    line_index[(tiles, rows, 2)](
        met, columns, *summaries, near, wide, ranges, listed, upto, length, places, most, row_blocks,
        BLOCK=block, KEYS=keys, TILE=TILE, TILES=triton.next_power_of_2(tiles),
    )  # fmt: skip
    return near, wide, ranges, listed, upto, met


def forward(
    query: Tensor, key: Tensor, value: Tensor, columns: Tensor, slashes: Tensor, block: int, *,
    scale: float, softcap: float | None, sinks: Tensor | None, log_sum: bool,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """`vertical_slash_attention` with inputs that were checked; the last dimension of q, k and v is contiguous."""
    batch, heads, length, size = query.shape
    tiles = line_tiles(query.dtype, max(size, value.shape[3]), block, capability_of(query.device))
    near, wide, ranges, listed, upto, met = line_lists(slashes.flatten(0, 1), columns.flatten(0, 1), block, tiles.keys)
    row_blocks = ranges.shape[1]
    rows = [described(tensor, tiles.keys) for tensor in (key, value)]
    out = query.new_empty(batch, length, heads, value.shape[3]).transpose(1, 2)
    sums = query.new_empty((batch, heads, length), dtype=torch.float32) if log_sum else None
    vertical_slash_forward[(row_blocks * (block // tiles.rows), heads, batch)](
        query, key, value, *rows, out, sums, near, wide, ranges, listed, upto, met, sinks,
        scale if softcap is not None else scale * math.log2(math.e), softcap or 0.0,
        length, heads, row_blocks, near.shape[1], listed.shape[1], met.shape[1],
        *query.stride()[:3], *key.stride()[:3], *value.stride()[:3], *out.stride()[:3],
        GROUP=heads // key.shape[1], SIZE=size, VALUE=value.shape[3], BLOCK=block, ROWS=tiles.rows, KEYS=tiles.keys,
        SOFTCAP=softcap is not None, SINKS=sinks is not None, LOG_SUM=log_sum,
        num_warps=tiles.warps, num_stages=tiles.stages,
    )  # fmt: skip
    return out, sums
