"""How many ranked columns and diagonals fit a budget, in plain Triton.

Seven numbers of lines are tried side by side with each launch. Further columns need no trying: what each brings beside
the diagonals found is summed in the order of their ranks.
"""

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

RANKS = 4096
"""Ranks that one step of `columns_that_fit` takes."""


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
def line_pairs(
    ColumnRank, Met, Held, ByRank, budget, length, places, rounds,
    BLOCK: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, TRIED: tl.constexpr, BY_RANK: tl.constexpr,
):  # fmt: skip
    """Grid: (BLOCK / WIDTH, heads, TRIED or 1). Causal query-key pairs that lines hold, as `lines.attended_and_loaded`.

    Without BY_RANK, what one tried number of columns and diagonals holds goes to this round of `Held`. With BY_RANK,
    what each column brings beside the diagonals that fit goes to its rank in `ByRank`; rank 0, which is always taken,
    gets what these diagonals hold as well. A rank above `length` is never taken.

    Keys are taken by their distance from the last row block's first row, in row blocks and `column` keys; a chain of
    the same `column` is what a key column meets in all row blocks after its own.
    """
    column = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)
    head, heads = tl.program_id(1).to(tl.int64), tl.num_programs(1)
    which = tl.program_id(2)
    least, most = _narrowed(Held, head, heads, budget, length, rounds, TRIED)
    number = least if BY_RANK else _tried(least, most, which, TRIED)
    met = Met + head * places
    rank = ColumnRank + head * length
    by_rank = ByRank + head * (length + 1)
    blocks = tl.cdiv(length, BLOCK)
    last = (blocks - 1) * BLOCK
    tail = length - last
    own = tl.load(met + column) < number
    # What the diagonals bring of a row block's own keys, and the columns of the last row block's keys.
    behind = BLOCK - 1 - column
    pairs = tl.where(own, (blocks - 1).to(tl.int64) * (column + 1) + tl.maximum(tail - behind, 0), 0)
    exists = behind < tail
    last_rank = tl.load(rank + last + behind, mask=exists, other=2147483647)
    in_last = tl.where(own, 0, tail - behind)
    if BY_RANK:
        tl.atomic_add(by_rank + last_rank, in_last.to(tl.int64), mask=exists & (last_rank <= length))
    else:
        pairs += tl.where(last_rank < number, in_last, 0)
    before = tl.zeros([WIDTH], tl.int32)
    for begin in tl.range(0, blocks - 1, ROWS):
        row = begin + tl.arange(0, ROWS)
        place = row[:, None] * BLOCK + column[None, :]
        inside = (row < blocks - 1)[:, None]
        crossed = tl.load(met + BLOCK + place, mask=inside & (place < length - 1), other=2147483647) < number
        key_rank = tl.load(rank + last - 1 - place, mask=inside, other=2147483647)
        given = before[None, :] + tl.cumsum(crossed.to(tl.int32), 0)
        before += tl.sum(crossed.to(tl.int32), 0)
        by_slash = tl.where(crossed, ((blocks - 2 - row) * BLOCK + tail)[:, None], 0)
        by_column = (row * BLOCK + tail)[:, None] - (given * BLOCK - crossed.to(tl.int32) * (BLOCK - tail))
        by_column += tl.where(own, 0, column + 1)[None, :]
        if BY_RANK:
            tl.atomic_add(by_rank + key_rank, by_column.to(tl.int64), mask=inside & (key_rank <= length))
        else:
            by_slash += tl.where(key_rank < number, by_column, 0)
        # Less than ROWS times the length: no overflow below 16 million tokens.
        pairs += tl.sum(by_slash, 0).to(tl.int64)
    held = tl.sum(pairs, 0)
    if BY_RANK:
        tl.atomic_add(by_rank, held)
    else:
        tl.atomic_add(Held + (rounds * heads + head) * TRIED + which, held)


@triton.jit
def columns_that_fit(
    Held, ByRank, Lines, Columns, budget, length, rounds, TRIED: tl.constexpr, RANKS: tl.constexpr
):  # fmt: skip
    """Grid: (heads). The number of lines that the search came to, and the most columns beside these diagonals."""
    head, heads = tl.program_id(0).to(tl.int64), tl.num_programs(0)
    lines, _ = _narrowed(Held, head, heads, budget, length, rounds, TRIED)
    columns = lines * 0
    held = tl.zeros([], tl.int64)
    begin = lines * 0
    while (begin <= length) & (held <= budget):
        rank = begin + tl.arange(0, RANKS)
        brought = tl.load(ByRank + head * (length + 1) + rank, mask=rank <= length, other=0)
        fits = (rank <= length) & (held + tl.cumsum(brought, 0) <= budget)
        columns += tl.sum(fits.to(tl.int32), 0)
        held += tl.sum(brought, 0)
        begin += RANKS
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
    held = column_rank.new_zeros(rounds, heads, TRIED, dtype=torch.int64)
    by_rank = column_rank.new_zeros(heads, length + 1, dtype=torch.int64)
    for done in range(rounds + 1):
        line_pairs[(block // WIDTH, heads, TRIED if done < rounds else 1)](
            column_rank, met, held, by_rank, budget, length, places, done,
            BLOCK=block, WIDTH=WIDTH, ROWS=ROWS, TRIED=TRIED, BY_RANK=done == rounds,
        )  # fmt: skip
    lines, columns = column_rank.new_empty(2, heads, dtype=torch.int64)
    columns_that_fit[(heads,)](held, by_rank, lines, columns, budget, length, rounds, TRIED=TRIED, RANKS=RANKS)
    return lines, columns
