"""Attention of the last queries summed over columns and diagonals, in plain Triton, tile by tile."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from sparsetol_kernels.backend import capability_of
from sparsetol_kernels.on_triton.descriptors import described

CHUNK = 2048
"""Keys that one program of the first pass goes through."""

FOLDED = 1024
"""Lines that one program of `fold_lines` sums."""


@dataclass(frozen=True)
class Tile:
    """Rows of the window and keys that a program takes at a time, its warps, and tiles in flight."""

    rows: int
    keys: int
    warps: int = 4
    stages: int = 2

    @property
    def options(self) -> dict[str, int]:
        """How Triton runs the program."""
        return {"num_warps": self.warps, "num_stages": self.stages}


@dataclass(frozen=True)
class Tiles:
    """How the two passes over the keys are cut.

    Attributes:
        peaks: of `partial_sums`, with a multiple of the other's rows.
        lines: of `line_sums`, with a multiple of its rows as keys.
        shared: query heads of a key head, one after the other, that have a tile of `line_sums` together.

    """

    peaks: Tile
    lines: Tile
    shared: int = 1

    @property
    def part(self) -> int:
        """Rows, and keys, of the parts of a tile whose diagonals are summed: a warp turns 32 in one step."""
        return min(32, self.lines.rows)


@triton.jit
def _rows(Source, Described, head, begin, at, row, inside, SIZE: tl.constexpr):
    """Queries or keys from `begin` on, from `head` on, zero where not `inside`; by the descriptor, if there is one."""
    WIDE: tl.constexpr = triton.next_power_of_2(SIZE)
    if Described is not None:
        return Described.load([0, head, begin, 0]).reshape([row.shape[0], WIDE])
    channel = tl.arange(0, WIDE)
    return tl.load(
        Source + row.to(tl.int64)[:, None] * at + channel[None, :],
        mask=inside[:, None] & (channel < SIZE)[None, :], other=0.0,
    )  # fmt: skip


@triton.jit
def partial_sums(
    Q, K, QueryRows, KeyRows, Peaks, Totals, scale, length, window, chunks, q_head, q_row, k_head, k_row,
    GROUP: tl.constexpr, SIZE: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """Grid: (chunks of keys, row tiles, query heads). Peak and denominator of each row over one chunk."""
    chunk, tile, head = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = tile * ROWS + tl.arange(0, ROWS)
    position = length - window + row
    begin = length - window + tile * ROWS
    q = _rows(Q + head * q_head, QueryRows, tl.program_id(2), begin, q_row, position, row < window, SIZE)
    peak = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    for begin in tl.range(chunk * CHUNK, tl.minimum(chunk * CHUNK + CHUNK, length), KEYS):
        key = begin + tl.arange(0, KEYS)
        key_head = tl.program_id(2) // GROUP
        k = _rows(K + head // GROUP * k_head, KeyRows, key_head, begin, k_row, key, key < length, SIZE)
        logit = tl.dot(q, k.T, input_precision="ieee") * scale
        if begin + KEYS - 1 > length - window + tile * ROWS:
            logit = tl.where((key[None, :] <= position[:, None]) & (key < length)[None, :], logit, float("-inf"))
        higher = tl.maximum(peak, tl.max(logit, 1))
        pivot = tl.where(higher == float("-inf"), 0.0, higher)
        total = total * tl.exp2(peak - pivot) + tl.sum(tl.exp2(logit - pivot[:, None]), 1)
        peak = higher
    at = (head * chunks + chunk) * (tl.num_programs(1) * ROWS) + row
    tl.store(Peaks + at, peak)
    tl.store(Totals + at, total)


@triton.jit
def fold_rows(Peaks, Totals, LogSum, window, chunks, ROWS: tl.constexpr):
    """Grid: (row tiles, query heads). Logarithm to base 2 of each row's denominator, inf for rows that are none."""
    head = tl.program_id(1).to(tl.int64)
    rows = tl.num_programs(0) * ROWS
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    # Each row sees the first key, so that the first chunk's peak is finite.
    peak = tl.load(Peaks + head * chunks * rows + row)
    total = tl.load(Totals + head * chunks * rows + row)
    for chunk in tl.range(1, chunks):
        at = (head * chunks + chunk) * rows + row
        part = tl.load(Peaks + at)
        higher = tl.maximum(peak, part)
        total = total * tl.exp2(peak - higher) + tl.load(Totals + at) * tl.exp2(part - higher)
        peak = higher
    tl.store(LogSum + head * rows + row, tl.where(row < window, peak + tl.log2(total), float("inf")))


@triton.jit
def line_sums(
    Q, K, QueryRows, KeyRows, LogSum, ByTile, Parts,
    scale, length, window, row_tiles, padded, q_head, q_row, k_head, k_row,
    GROUP: tl.constexpr, SHARED: tl.constexpr, SIZE: tl.constexpr,
    ROWS: tl.constexpr, KEYS: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    """Grid: (strips, query heads / SHARED). Sums of each tile's columns, and of the diagonals of a strip's parts.

    A strip goes down the diagonal of the window: from tile to tile, both rows and keys move on by ROWS. So an entry of
    a tile lies on the same diagonal in all tiles of a strip, and entries are added first, diagonals once a strip.
    SHARED query heads of a key head lie beside each other in a tile, so that its keys are read once for all of them.

    Of each part of PART keys and rows, rows are turned by their key's number. Then the entries that lie i rows after
    their key, counted in the part, are in row i, and so are those that lie PART - i rows before it.
    """
    strip, first_head = tl.program_id(0), tl.program_id(1) * SHARED
    behind, within = tl.arange(0, SHARED * ROWS), tl.arange(0, KEYS)
    head = (first_head + behind // ROWS).to(tl.int64)
    # The first row's tile has its keys here; strips begin before the first key, so that the last row's tile meets it.
    start = strip * KEYS - (row_tiles - 1) * ROWS
    paid = tl.zeros([KEYS, SHARED * ROWS], tl.float32)
    first = tl.maximum(0, row_tiles - (strip + 1) * (KEYS // ROWS))
    for number in tl.range(first, tl.minimum(row_tiles, tl.cdiv(length - start, ROWS))):
        row, begin = number * ROWS + behind % ROWS, start + number * ROWS
        key, position = begin + within, length - window + row
        inside = (key >= 0) & (key < length)
        q_begin = length - window + number * ROWS
        q = _rows(Q + head[:, None] * q_head, QueryRows, first_head, q_begin, q_row, position, row < window, SIZE)
        key_head = first_head // GROUP
        k = _rows(K + key_head.to(tl.int64) * k_head, KeyRows, key_head, begin, k_row, key, inside, SIZE)
        logit = tl.dot(k, q.T, input_precision="ieee") * scale - tl.load(LogSum + head * padded + row)[None, :]
        weight = tl.exp2(logit)
        if (begin < 0) | (begin + KEYS - 1 > length - window + number * ROWS):
            weight = tl.where(inside[:, None] & (key[:, None] <= position[None, :]), weight, 0.0)
        paid += weight
        of_head = (first_head + tl.arange(0, SHARED)).to(tl.int64)[None, :]
        tl.store(
            ByTile + (of_head * row_tiles + number) * length + key[:, None],
            tl.sum(tl.reshape(weight, [KEYS, SHARED, ROWS]), 2), mask=inside[:, None],
        )  # fmt: skip
    # Parts beside each other: those of a head, and heads after that.
    ACROSS: tl.constexpr = ROWS // PART
    BESIDE: tl.constexpr = SHARED * ACROSS
    CUT: tl.constexpr = KEYS // PART * BESIDE
    # Keys of a part, then parts, then rows: a warp has whole parts, if there are as many, and adds up by itself.
    paid = tl.permute(tl.reshape(paid, [KEYS // PART, PART, BESIDE, PART]), (1, 0, 2, 3))
    row = (tl.arange(0, PART * CUT) // CUT)[:, None] + tl.arange(0, PART)[None, :]
    paid = tl.gather(tl.reshape(paid, [PART * CUT, PART]), row % PART, 1)
    near = tl.sum(tl.reshape(tl.where(row < PART, paid, 0.0), [PART, CUT, PART]), 0)
    far = tl.sum(tl.reshape(tl.where(row < PART, 0.0, paid), [PART, CUT, PART]), 0)
    part, at = tl.arange(0, CUT)[:, None], tl.arange(0, PART)[None, :]
    parts = tl.num_programs(0) * (KEYS // PART)
    of_head, across = first_head + part % BESIDE // ACROSS, part % ACROSS
    into = of_head.to(tl.int64) * 2 * ACROSS + across
    into = Parts + (into * parts + strip * (KEYS // PART) + part // BESIDE) * PART + at
    tl.store(into, near)
    tl.store(into + ACROSS * parts * PART, far)


@triton.jit
def fold_lines(
    ByTile, Parts, Columns, Slashes, length, window, row_tiles, strips,
    ROWS: tl.constexpr, KEYS: tl.constexpr, PART: tl.constexpr, FOLDED: tl.constexpr,
):  # fmt: skip
    """Grid: (tiles of lines, heads). The parts of each column, and of each diagonal, in a fixed order."""
    head = tl.program_id(1).to(tl.int64)
    line = tl.program_id(0) * FOLDED + tl.arange(0, FOLDED)
    inside = line < length
    total = tl.zeros([FOLDED], tl.float32)
    for number in tl.range(0, row_tiles):
        total += tl.load(ByTile + (head * row_tiles + number) * length + line, mask=inside, other=0.0)
    tl.store(Columns + head * length + line, total, mask=inside)
    ACROSS: tl.constexpr = ROWS // PART
    parts = strips * (KEYS // PART)
    # How far the diagonal meets the first row from the strips' first key, up to a whole part; a tile more than that, so
    # that it is not below zero.
    ahead = length - window + row_tiles * ROWS - line + (PART - 1)
    part, at = ahead // PART - ACROSS, PART - 1 - ahead % PART
    total = tl.zeros([FOLDED], tl.float32)
    for across in tl.static_range(ACROSS):
        for before in tl.static_range(2):
            down = part + across - before
            total += tl.load(
                Parts + ((head * 2 + before) * ACROSS + across) * (parts * PART) + down * PART + at,
                mask=inside & (down >= 0) & (down < parts), other=0.0,
            )  # fmt: skip
    tl.store(Slashes + head * length + line, total, mask=inside)


def tiles_for(dtype: torch.dtype, size: int, group: int, capability: tuple[int, int]) -> Tiles:
    """Tiles that do not spill, for `group` query heads on a key head."""
    if dtype == torch.float32:
        return Tiles(Tile(16, 16), Tile(16, 16))
    if size > 128:
        return Tiles(Tile(32, 32), Tile(32, 32))
    if capability[0] == 9:
        peaks = Tile(128, 64, warps=8, stages=3)
        return Tiles(peaks, Tile(32, 64), 4) if group % 4 == 0 else Tiles(peaks, Tile(64, 128))
    return Tiles(Tile(128, 64), Tile(64, 64))


def line_scores(query: Tensor, key: Tensor, scale: float, window: int) -> tuple[Tensor, Tensor]:
    """`vertical_slash_scores` without the score matrix; the last dimension of each is contiguous."""
    heads, length, size = query.shape
    group = heads // key.shape[0]
    window = min(window, length)
    tiles = tiles_for(query.dtype, size, group, capability_of(query.device))
    peak, line = tiles.peaks, tiles.lines
    chunks, row_tiles = -(-length // CHUNK), -(-window // line.rows)
    padded = -(-window // peak.rows) * peak.rows
    strips = -(-(length + (row_tiles - 1) * line.rows) // line.keys)
    scale *= math.log2(math.e)
    steps = (*query.stride()[:2], *key.stride()[:2])
    peaks, totals = query.new_empty(2, heads, chunks, padded, dtype=torch.float32)
    partial_sums[(chunks, padded // peak.rows, heads)](
        query, key, described(query[None], peak.rows), described(key[None], peak.keys), peaks, totals,
        scale, length, window, chunks, *steps,
        GROUP=group, SIZE=size, ROWS=peak.rows, KEYS=peak.keys, CHUNK=CHUNK, **peak.options,
    )  # fmt: skip
    log_sum = query.new_empty(heads, padded, dtype=torch.float32)
    fold_rows[(padded // peak.rows, heads)](peaks, totals, log_sum, window, chunks, ROWS=peak.rows)
    by_tile = query.new_empty(heads, row_tiles, length, dtype=torch.float32)
    parts = query.new_empty(heads, 2, strips * line.keys * line.rows // tiles.part, dtype=torch.float32)
    cut = {"ROWS": line.rows, "KEYS": line.keys, "PART": tiles.part}
    rows = described(query[None], line.rows, tiles.shared)
    line_sums[(strips, heads // tiles.shared)](
        query, key, rows, described(key[None], line.keys), log_sum, by_tile, parts,
        scale, length, window, row_tiles, padded, *steps,
        GROUP=group, SHARED=tiles.shared, SIZE=size, **cut, **line.options,
    )  # fmt: skip
    columns, slashes = query.new_empty(2, heads, length, dtype=torch.float32)
    fold_lines[(-(-length // FOLDED), heads)](
        by_tile, parts, columns, slashes, length, window, row_tiles, strips, FOLDED=FOLDED, **cut
    )
    return columns, slashes
