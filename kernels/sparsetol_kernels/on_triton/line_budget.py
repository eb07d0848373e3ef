"""How many ranked columns and diagonals fit a budget, in plain Triton: seven numbers are tried with each launch."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

TRIED = 7
"""Numbers that one launch counts the pairs of: the interval shrinks to an eighth."""

WIDTH = 8
"""Neighbouring keys that a program counts in every row block."""

ROWS = 128
"""Row blocks of a tile."""


@triton.jit
def first_rank(Rank, Met, length, places, BLOCK: tl.constexpr, TILE: tl.constexpr):
    """Grid: (tiles of places, heads). The best rank among the diagonals that bring a place of `lines.crossed`."""
    head = tl.program_id(1).to(tl.int64)
    place = tl.program_id(0) * TILE + tl.arange(0, TILE)
    best = tl.full([TILE], 2147483647, tl.int32)
    for back in tl.range(0, BLOCK):
        offset = place - back
        best = tl.minimum(
            best, tl.load(Rank + head * length + offset, mask=(offset >= 0) & (offset < length), other=2147483647)
        )
    tl.store(Met + head * places + place, best, mask=place < places)


@triton.jit
def _tried(least, most, which, TRIED: tl.constexpr):
    return least + ((most - least) * (which + 1) + TRIED) // (TRIED + 1)


@triton.jit
def _narrowed(Held, head, heads, budget, length, rounds, TRIED: tl.constexpr):
    """The interval that is left after `rounds` launches: all of it fits up to `least`, nothing after `most`."""
    least = tl.full([], 1, tl.int32)
    most = tl.full([], 1, tl.int32) + length
    for past in tl.range(0, rounds):
        low, high = least, most
        for which in tl.static_range(TRIED):
            number = _tried(low, high, which, TRIED)
            fits = tl.load(Held + (past * heads + head) * TRIED + which) <= budget
            least = tl.where(fits, tl.maximum(least, number), least)
            most = tl.where(fits, most, tl.minimum(most, number - 1))
        most = tl.maximum(most, least)
    return least, most


@triton.jit
def held_pairs(
    ColumnRank, Met, Held, HeldMore, budget, length, places, rounds, more_rounds,
    BLOCK: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, TRIED: tl.constexpr, MORE: tl.constexpr,
):  # fmt: skip
    """Grid: (BLOCK / WIDTH, heads). Pairs of causal queries and keys that each tried number of lines holds.

    Keys are taken by their distance from the last row block's first row, in row blocks and `column` keys; a chain of
    the same `column` is what a key column meets in all row blocks after its own. As `lines.line_pairs`, which says why.
    """
    column = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)
    head, heads = tl.program_id(1).to(tl.int64), tl.num_programs(1)
    least, most = _narrowed(Held, head, heads, budget, length, rounds, TRIED)
    lines = least
    if MORE:
        least, most = _narrowed(HeldMore, head, heads, budget, length, more_rounds, TRIED)
    met = Met + head * places
    rank = ColumnRank + head * length
    blocks = tl.cdiv(length, BLOCK)
    last = (blocks - 1) * BLOCK
    tail = length - last
    own = tl.load(met + column)
    # What the diagonals bring of a row block's own keys, and the columns of the last row block's keys.
    behind = BLOCK - 1 - column
    of_own = (blocks - 1).to(tl.int64) * (BLOCK - behind) + tl.maximum(tail - behind, 0)
    at_last = last + BLOCK - 1 - column
    last_rank = tl.load(rank + at_last, mask=at_last < length, other=2147483647)
    in_last = tl.maximum(tail - (BLOCK - 1 - column), 0)
    for which in tl.static_range(TRIED):
        number = _tried(least, most, which, TRIED)
        columns = number
        along = number
        if MORE:
            along = lines
            columns = tl.maximum(number, lines)
        pairs = tl.where(own < along, of_own, 0)
        pairs += tl.where((last_rank < columns) & (own >= along), in_last, 0).to(tl.int64)
        before = tl.zeros([WIDTH], tl.int32)
        for begin in tl.range(0, blocks - 1, ROWS):
            row = begin + tl.arange(0, ROWS)
            place = row[:, None] * BLOCK + column[None, :]
            inside = (row < blocks - 1)[:, None]
            crossed = tl.load(met + BLOCK + place, mask=inside & (place < length - 1), other=2147483647) < along
            given = before[None, :] + tl.cumsum(crossed.to(tl.int32), 0)
            before += tl.sum(crossed.to(tl.int32), 0)
            chosen = tl.load(rank + last - 1 - place, mask=inside, other=2147483647) < columns
            by_slash = (blocks - 2 - row) * BLOCK + tail
            by_column = (row * BLOCK + tail)[:, None] - (given * BLOCK - crossed.to(tl.int32) * (BLOCK - tail))
            by_column += tl.where(own >= along, column + 1, 0)[None, :]
            both = tl.where(crossed, by_slash[:, None], 0) + tl.where(chosen, by_column, 0)
            pairs += tl.sum(both.to(tl.int64), 0)
        at = (rounds * heads + head) * TRIED + which
        if MORE:
            tl.atomic_add(HeldMore + (more_rounds * heads + head) * TRIED + which, tl.sum(pairs, 0))
        else:
            tl.atomic_add(Held + at, tl.sum(pairs, 0))


@triton.jit
def found_numbers(Held, HeldMore, Lines, Columns, budget, length, rounds, TRIED: tl.constexpr):
    """Grid: (heads). What both searches came to."""
    head, heads = tl.program_id(0).to(tl.int64), tl.num_programs(0)
    lines, _ = _narrowed(Held, head, heads, budget, length, rounds, TRIED)
    columns, _ = _narrowed(HeldMore, head, heads, budget, length, rounds, TRIED)
    tl.store(Lines + head, lines.to(tl.int64))
    tl.store(Columns + head, tl.maximum(lines, columns).to(tl.int64))


def rounds_for(length: int) -> int:
    """Launches after which one number of 1 to `length` + 1 is left."""
    rounds = 0
    while length > 0:
        length //= TRIED + 1
        rounds += 1
    return rounds


def search(column_rank: Tensor, slash_rank: Tensor, budget: int, block: int) -> tuple[Tensor, Tensor]:
    """`lines_that_fit` with inputs that were checked and are contiguous; the host waits for nothing."""
    heads, length = column_rank.shape
    places = length + block - 1
    met = column_rank.new_empty(heads, places)
    first_rank[(triton.cdiv(places, 1024), heads)](slash_rank, met, length, places, BLOCK=block, TILE=1024)
    rounds = rounds_for(length)
    held, more = torch.zeros(2, rounds, heads, TRIED, dtype=torch.int64, device=column_rank.device)
    for searching in (False, True):
        for done in range(rounds):
            held_pairs[(block // WIDTH, heads)](
                column_rank, met, held, more, budget, length, places, rounds if searching else done, done,
                BLOCK=block, WIDTH=WIDTH, ROWS=ROWS, TRIED=TRIED, MORE=searching,
            )  # fmt: skip
    lines, columns = torch.empty(2, heads, dtype=torch.int64, device=column_rank.device)
    found_numbers[(heads,)](held, more, lines, columns, budget, length, rounds, TRIED=TRIED)
    return lines, columns
