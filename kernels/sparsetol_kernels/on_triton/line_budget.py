"""How many ranked columns and diagonals fit a budget, in plain Triton.

Numbers of lines are tried side by side, `TRIED` with each launch: first of columns and diagonals alike, then of columns
beside the diagonals found, from what each column brings beside these.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from sparsetol_kernels.on_triton.scans import running_min

TRIED = 16
"""Numbers that one launch counts the pairs of: what is left shrinks to a seventeenth, to 15 % at most by the first."""

WIDTH = 8
"""Neighbouring keys that a program counts in every row block."""

ROWS = 16
"""Row blocks of a tile of `line_pairs`: its WIDTH x TRIED counts take all threads, so that each has every row."""

TALL = 256
"""Row blocks of a tile of `brought`, which counts one number."""

TILE = 1024
"""Places that one program of `first_rank` takes."""

KEYS = 1024
"""Keys that one program of `column_pairs` counts, `STEP` at a time."""

STEP = 128


@triton.jit
def first_rank(Rank, Met, length, places, BLOCK: tl.constexpr, TILE: tl.constexpr):
    """Grid: (tiles of places, heads). The best rank among the diagonals that bring a place of `lines.crossed`.

    These are the last BLOCK up to the place: those from the place's own block of offsets, up to it, and the ones
    after as many of the block before.
    """
    head = tl.program_id(1).to(tl.int64)
    begin = (tl.program_id(0) * (TILE // BLOCK) + tl.arange(0, TILE // BLOCK)) * BLOCK
    offset = begin[:, None] + tl.arange(0, BLOCK)[None, :]
    own = tl.load(Rank + head * length + offset, mask=offset < length, other=2147483647)
    earlier = offset - (BLOCK - 1)
    before = tl.load(Rank + head * length + earlier, mask=(earlier >= 0) & (earlier < length), other=2147483647)
    best = tl.minimum(running_min(own, 1), running_min(before, 1, reverse=True))
    tl.store(Met + head * places + offset, best, mask=offset < places)


@triton.jit
def _owner(head, TOGETHER: tl.constexpr):
    """Which budget a head has, and how many there are."""
    if TOGETHER:
        return head * 0, head * 0 + 1
    return head, head * 0 + tl.num_programs(1)


@triton.jit
def _tried(least, most, which, done, TRIED: tl.constexpr):
    """The numbers of a launch: evenly apart, but in the first one closer to the least, as budgets take few lines."""
    PARTS: tl.constexpr = TRIED + 1
    WHOLE: tl.constexpr = PARTS * PARTS * (PARTS + TRIED // 2)
    part = which + 1
    even = ((most - least) * part + PARTS - 1) // PARTS
    close = ((most - least) * (part * part * (part + TRIED // 2)) + WHOLE - 1) // WHOLE
    return least + tl.where(done == 0, close, even)


@triton.jit
def _left(Least, Bounds, Held, owner, owners, budget, most, done, TRIED: tl.constexpr):
    """What is left after `done` launches, int64: all of it fits up to `least`, or was given; nothing after `most`."""
    least = tl.load(Least + owner)
    most = most.to(tl.int64)
    if done > 0:
        past = (done - 1) * owners + owner
        if done > 1:
            least = tl.load(Bounds + 2 * (past - owners))
            most = tl.load(Bounds + 2 * (past - owners) + 1)
        # More lines hold more pairs: those that fit come first.
        fitting = tl.sum((tl.load(Held + past * TRIED + tl.arange(0, TRIED)) <= budget).to(tl.int32), 0)
        low, high = least, most
        least = tl.where(fitting > 0, tl.maximum(low, _tried(low, high, fitting - 1, done - 1, TRIED)), low)
        most = tl.where(fitting < TRIED, tl.maximum(least, _tried(low, high, fitting, done - 1, TRIED) - 1), high)
    return least, most


@triton.jit
def _remember(Bounds, owner, owners, done, least, most):
    """Where the next launch finds them."""
    if (done > 0) & (tl.program_id(0) == 0):
        at = Bounds + 2 * ((done - 1) * owners + owner)
        tl.store(at, least)
        tl.store(at + 1, most)


# The second launch has `done` 1, which Triton would make a constant, and each kernel another one; `most` may be 1 too.
@triton.jit(do_not_specialize=["done", "most"])
def found(Least, Bounds, Held, Found, budget, most, done, TRIED: tl.constexpr):
    """Grid: (budgets). What the search came to."""
    owner = tl.program_id(0).to(tl.int64)
    owners = owner * 0 + tl.num_programs(0)
    least, _ = _left(Least, Bounds, Held, owner, owners, budget, most, done, TRIED)
    tl.store(Found + owner, least)


@triton.jit(do_not_specialize=["done", "most"])
def line_pairs(
    ColumnRank, Met, Least, Bounds, Held, budget, most, length, places, done,
    BLOCK: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, TRIED: tl.constexpr, TOGETHER: tl.constexpr,
):  # fmt: skip
    """Grid: (BLOCK / WIDTH, heads). Causal pairs that each tried number of lines holds, added to this launch's `Held`.

    As `lines.attended_and_loaded` counts them; TOGETHER all heads have one budget.

    Keys are taken by their distance from the last row block's first row, in row blocks and `column` keys; a chain of
    the same `column` is what a key column meets in all row blocks after its own.
    """
    column = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)
    head = tl.program_id(1).to(tl.int64)
    which = tl.arange(0, TRIED)
    owner, owners = _owner(head, TOGETHER)
    least, most = _left(Least, Bounds, Held, owner, owners, budget, most, done, TRIED)
    _remember(Bounds, owner, owners, done, least, most)
    if least == most:
        # The search is done. `column_pairs` counts on: leaving it early spills registers.
        return
    number = _tried(least, most, which, done, TRIED).to(tl.int32)[None, :]
    met = Met + head * places
    rank = ColumnRank + head * length
    blocks = tl.cdiv(length, BLOCK)
    last = (blocks - 1) * BLOCK
    tail = length - last
    # What the diagonals bring of a row block's own keys, and the columns of the last row block's keys.
    own = tl.load(met + column)[:, None] < number
    behind = BLOCK - 1 - column
    in_own = ((blocks - 1).to(tl.int64) * (column + 1) + tl.maximum(tail - behind, 0))[:, None]
    last_rank = tl.load(rank + last + behind, mask=behind < tail, other=2147483647)[:, None]
    pairs = tl.where(own, in_own, tl.where(last_rank < number, (tail - behind)[:, None], 0))
    counted = tl.zeros([ROWS, WIDTH, TRIED], tl.int32)
    before = tl.zeros([WIDTH, TRIED], tl.int32)
    for begin in tl.range(0, blocks - 1, ROWS):
        row = begin + tl.arange(0, ROWS)
        place = row[:, None] * BLOCK + column[None, :]
        inside = (row < blocks - 1)[:, None]
        met_rank = tl.load(met + BLOCK + place, mask=inside & (place < length - 1), other=2147483647)
        key_rank = tl.load(rank + last - 1 - place, mask=inside, other=2147483647)
        crossed = (met_rank[:, :, None] < number[None, :, :]).to(tl.int32)
        given = before[None, :, :] + tl.cumsum(crossed, 0)
        before += tl.sum(crossed, 0)
        all_later = (row * BLOCK + tail)[:, None, None]
        by_column = all_later - (given * BLOCK - crossed * (BLOCK - tail))
        by_column += tl.where(own, 0, column[:, None] + 1)[None, :, :]
        counted += crossed * ((blocks - 2 - row) * BLOCK + tail)[:, None, None]
        # One entry counts at most length ** 2 / (ROWS * BLOCK) pairs: see `LONGEST`.
        counted += tl.where(key_rank[:, :, None] < number[None, :, :], by_column, 0)
    pairs += tl.sum(counted.to(tl.int64), 0)
    tl.atomic_add(Held + (done * owners + owner) * TRIED + which, tl.sum(pairs, 0))


@triton.jit
def brought(
    Met, Lines, ByKey, BySlash, length, places,
    BLOCK: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, TOGETHER: tl.constexpr,
):  # fmt: skip
    """Grid: (BLOCK / WIDTH, heads). Pairs that the diagonals found bring, and those of each column beside them."""
    column = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)
    head = tl.program_id(1).to(tl.int64)
    number = tl.load(Lines + (head * 0 if TOGETHER else head))
    met = Met + head * places
    by_key = ByKey + head * length
    blocks = tl.cdiv(length, BLOCK)
    last = (blocks - 1) * BLOCK
    tail = length - last
    own = tl.load(met + column) < number
    behind = BLOCK - 1 - column
    pairs = tl.where(own, (blocks - 1).to(tl.int64) * (column + 1) + tl.maximum(tail - behind, 0), 0)
    tl.store(by_key + last + behind, tl.where(own, 0, tail - behind), mask=behind < tail)
    before = tl.zeros([WIDTH], tl.int32)
    for begin in tl.range(0, blocks - 1, ROWS):
        row = begin + tl.arange(0, ROWS)
        place = row[:, None] * BLOCK + column[None, :]
        inside = (row < blocks - 1)[:, None]
        met_rank = tl.load(met + BLOCK + place, mask=inside & (place < length - 1), other=2147483647)
        crossed = (met_rank < number).to(tl.int32)
        given = before[None, :] + tl.cumsum(crossed, 0)
        before += tl.sum(crossed, 0)
        by_column = (row * BLOCK + tail)[:, None] - (given * BLOCK - crossed * (BLOCK - tail))
        by_column += tl.where(own, 0, column + 1)[None, :]
        tl.store(by_key + last - 1 - place, by_column, mask=inside)
        pairs += tl.sum((crossed * ((blocks - 2 - row) * BLOCK + tail)[:, None]).to(tl.int64), 0)
    tl.atomic_add(BySlash + head, tl.sum(pairs, 0))


@triton.jit(do_not_specialize=["done", "most"])
def column_pairs(
    ColumnRank, ByKey, BySlash, Least, Bounds, Held, budget, most, length, done,
    KEYS: tl.constexpr, STEP: tl.constexpr, TRIED: tl.constexpr, TOGETHER: tl.constexpr,
):  # fmt: skip
    """Grid: (tiles of KEYS keys, heads). Causal pairs that the diagonals found hold with each number of columns."""
    tile, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    which = tl.arange(0, TRIED)
    owner, owners = _owner(head, TOGETHER)
    least, most = _left(Least, Bounds, Held, owner, owners, budget, most, done, TRIED)
    _remember(Bounds, owner, owners, done, least, most)
    number = _tried(least, most, which, done, TRIED).to(tl.int32)[None, :]
    counted = tl.zeros([STEP, TRIED], tl.int32)
    for begin in tl.range(tile * KEYS, tl.minimum(tile * KEYS + KEYS, length), STEP):
        key = begin + tl.arange(0, STEP)
        rank = tl.load(ColumnRank + head * length + key, mask=key < length, other=2147483647)
        pairs = tl.load(ByKey + head * length + key, mask=key < length, other=0)
        # At most KEYS / STEP times the length.
        counted += tl.where(rank[:, None] < number, pairs[:, None], 0)
    held = tl.sum(counted.to(tl.int64), 0) + tl.where(tile == 0, tl.load(BySlash + head), 0)
    tl.atomic_add(Held + (done * owners + owner) * TRIED + which, held)


def rounds_for(numbers: int) -> int:
    """Launches after which one of `numbers` + 1, 2 or more, is left."""
    # The last of the first launch's parts is the widest one: see `_tried`.
    whole = (TRIED + 1) ** 2 * (TRIED + 1 + TRIED // 2)
    numbers = numbers * (whole - TRIED**2 * (TRIED + TRIED // 2)) // whole
    rounds = 1
    while numbers > 0:
        numbers //= TRIED + 1
        rounds += 1
    return rounds


def search(
    column_rank: Tensor, slash_rank: Tensor, budget: int, most: int, block: int, *, together: bool
) -> tuple[Tensor, Tensor]:
    """The most lines that fit, then the most columns beside these diagonals, without a wait of the host.

    Args:
        column_rank: int32 `[heads, length]`, contiguous.
        slash_rank: int32 `[heads, length]`, contiguous.
        budget: causal query-key pairs of a head, or of all heads.
        most: no rank from here on is taken; 1 or more.
        block: query rows in a row block, a power of two.
        together: whether all heads have one budget, and then one result; ranks of 0 are taken whatever they hold where
            each has its own, those below 0 where they share one.

    """
    heads, length = column_rank.shape
    places, rounds = length + block - 1, rounds_for(most)
    owners, given = (1, 0) if together else (heads, 1)
    least = torch.full((owners,), given, dtype=torch.int64, device=column_rank.device)
    counts = least.new_zeros(heads + 2 * rounds * owners * TRIED)
    by_slash, (of_lines, of_columns) = counts[:heads], counts[heads:].view(2, rounds, owners, TRIED)
    bounds = least.new_empty(rounds, owners, 2)
    taken, wider = least.new_empty(2, owners)
    met = column_rank.new_empty(heads, places)
    first_rank[(triton.cdiv(places, TILE), heads)](slash_rank, met, length, places, BLOCK=block, TILE=TILE)
    for done in range(rounds):
        line_pairs[(block // WIDTH, heads)](
            column_rank, met, least, bounds, of_lines, budget, most, length, places, done,
            BLOCK=block, WIDTH=WIDTH, ROWS=ROWS, TRIED=TRIED, TOGETHER=together,
        )  # fmt: skip
    found[(owners,)](least, bounds, of_lines, taken, budget, most, rounds, TRIED=TRIED)
    by_key = torch.empty_like(column_rank)
    brought[(block // WIDTH, heads)](
        met, taken, by_key, by_slash, length, places, BLOCK=block, WIDTH=WIDTH, ROWS=TALL, TOGETHER=together
    )
    for done in range(rounds):
        column_pairs[(triton.cdiv(length, KEYS), heads)](
            column_rank, by_key, by_slash, taken, bounds, of_columns, budget, most, length, done,
            KEYS=KEYS, STEP=STEP, TRIED=TRIED, TOGETHER=together,
        )  # fmt: skip
    found[(owners,)](taken, bounds, of_columns, wider, budget, most, rounds, TRIED=TRIED)
    return taken, wider
