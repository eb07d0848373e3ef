"""Ranks of all lines of a layer by coverage, in plain Triton, behind the sort of `line_ranks`."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from sparsetol_kernels.on_triton.line_ranks import AT_ONCE, TILE, lines_in_order
from sparsetol_kernels.on_triton.scans import running_max

PLACES = 4096
"""Places that one step of `coverage_steps` takes."""

WARPS = 8
"""Of a program of it."""


@triton.jit
def coverage_steps(
    Columns, Slashes, Order, Steps, Places, length, heads, first_column, first_slash, floor, steps,
    AT_ONCE: tl.constexpr, PLACES: tl.constexpr,
):  # fmt: skip
    """Grid: (rows). At each place of a row's order what must be granted for it, and the place that its line takes."""
    row = tl.program_id(0).to(tl.int64)
    of_column = row < heads
    scores = (Columns + row * length) if of_column else (Slashes + (row - heads) * length)
    first = tl.where(of_column, first_column, first_slash)
    # Lines are counted in the rows that were sorted together.
    behind = row % AT_ONCE * length
    total = tl.full([], 0.0, tl.float64)
    for begin in tl.range(0, length, PLACES):
        line = begin + tl.arange(0, PLACES)
        total += tl.sum(tl.load(scores + line, mask=line < length, other=0.0).to(tl.float64), 0)
    ahead = tl.full([], 0.0, tl.float64)
    fronts = tl.full([], 0, tl.int32)
    furthest = tl.full([], -2147483648, tl.int32)
    for begin in tl.range(0, length, PLACES):
        place = begin + tl.arange(0, PLACES)
        inside = place < length
        line = (tl.load(Order + row * length + place, mask=inside, other=0) - behind).to(tl.int32)
        at_front = (inside & (line < first)).to(tl.int32)
        taken_at = tl.where(at_front > 0, line, place - (fronts + tl.cumsum(at_front, 0)) + first)
        tl.store(Places + row * length + place, taken_at, mask=inside)
        fronts += tl.sum(at_front, 0)
        mass = tl.load(scores + line, mask=inside, other=0.0).to(tl.float64)
        share = (ahead + tl.cumsum(mass, 0) - mass) / total
        share = tl.minimum(tl.maximum(share, 0.0), 1.0)
        step = tl.where(place < floor, place, floor + (share * steps).to(tl.int32))
        # Never fewer than one more than the place before has.
        over = tl.maximum(running_max(step - place, 0), furthest)
        tl.store(Steps + row * length + place, place + over, mask=inside)
        ahead += tl.sum(mass, 0)
        furthest = tl.max(over, 0)


@triton.jit
def covering_ranks_of(
    Order, Steps, Places, Ranks, length, heads, first_column, first_slash, AT_ONCE: tl.constexpr, TILE: tl.constexpr
):  # fmt: skip
    """Grid: (tiles of places, rows). The rank of the line at each place of the order."""
    row = tl.program_id(1).to(tl.int64)
    place = tl.program_id(0) * TILE + tl.arange(0, TILE)
    inside = place < length
    taken_at = tl.load(Places + row * length + place, mask=inside, other=0)
    step = tl.load(Steps + row * length + taken_at, mask=inside, other=0)
    forced = taken_at < tl.where(row < heads, first_column, first_slash)
    together = row // AT_ONCE * AT_ONCE * length
    line = tl.load(Order + row * length + place, mask=inside, other=0) + together
    tl.store(Ranks + line, tl.where(forced, -1, step * (2 * heads) + row).to(tl.int32), mask=inside)


def ranks(
    columns: Tensor, slashes: Tensor, forced: tuple[int, int], floor: int, steps: int,
    least: int, dropped: int, bits: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Ranks of `covering_ranks`, with inputs that were checked and are contiguous."""
    heads, length = columns.shape
    order = lines_in_order(columns, slashes, (0, 0), least, dropped, bits)
    step, place, ranked = torch.empty(3, *order.shape, dtype=torch.int32, device=order.device)
    coverage_steps[(2 * heads,)](
        columns, slashes, order, step, place, length, heads, *forced, floor, steps,
        AT_ONCE=AT_ONCE, PLACES=min(PLACES, triton.next_power_of_2(length)), num_warps=WARPS,
    )  # fmt: skip
    covering_ranks_of[(triton.cdiv(length, TILE), 2 * heads)](
        order, step, place, ranked, length, heads, *forced, AT_ONCE=AT_ONCE, TILE=TILE
    )
    across, along = ranked.view(2, heads, length)
    return across, along
