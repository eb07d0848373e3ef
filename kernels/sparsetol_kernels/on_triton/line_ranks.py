"""Ranks of columns and diagonals in plain Triton, around PyTorch's sort of 32-bit numbers."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

AT_ONCE = 64
"""Rows in one sort: six bits of a number say which row it is of."""

TILE = 512
"""Lines that one program takes."""


@triton.jit
def line_keys(
    Columns, Slashes, Keys, length, first_column, first_slash, least,
    DROPPED: tl.constexpr, BITS: tl.constexpr, AT_ONCE: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """Grid: (tiles of lines, heads, 2). What lines are ordered by, the largest first: the row, then the score."""
    head, kind = tl.program_id(1).to(tl.int64), tl.program_id(2)
    row = kind * tl.num_programs(1) + head
    line = tl.program_id(0) * TILE + tl.arange(0, TILE)
    inside = line < length
    scores = (Columns if kind == 0 else Slashes) + head * length
    bits = tl.load(scores + line, mask=inside, other=0.0).to(tl.int32, bitcast=True)
    key = tl.minimum(tl.maximum(bits - least, 0) >> DROPPED, (1 << BITS) - 2)
    key = tl.where(line < (first_column if kind == 0 else first_slash), (1 << BITS) - 1, key)
    # The first row is the largest, and numbers have a sign.
    of_row = ((AT_ONCE // 2 - 1 - row % AT_ONCE) << BITS).to(tl.int32)
    tl.store(Keys + row * length + line, of_row + key, mask=inside)


@triton.jit
def ranks_of(
    Order, Ranks, length, heads, first_column, first_slash, AT_ONCE: tl.constexpr, TILE: tl.constexpr
):  # fmt: skip
    """Grid: (tiles of places, rows). The rank of the line at each place of the order."""
    row = tl.program_id(1).to(tl.int64)
    place = tl.program_id(0) * TILE + tl.arange(0, TILE)
    inside = place < length
    # Places and lines are counted in the rows that were sorted together.
    together = row // AT_ONCE * AT_ONCE * length
    line = tl.load(Order + row * length + place, mask=inside, other=0) + together
    rank = tl.maximum(place + 1 - tl.where(row < heads, first_column, first_slash), 0)
    tl.store(Ranks + line, rank, mask=inside)


def lines_in_order(
    columns: Tensor, slashes: Tensor, forced: tuple[int, int], least: int, dropped: int, bits: int
) -> Tensor:
    """Lines of each head from the best down, forced ones first: int64 `[2 x heads, length]`, columns before diagonals.

    Lines are counted in the `AT_ONCE` rows that were sorted together.
    """
    heads, length = columns.shape
    keys = columns.new_empty(2 * heads, length, dtype=torch.int32)
    line_keys[(triton.cdiv(length, TILE), heads, 2)](
        columns, slashes, keys, length, *forced, least, DROPPED=dropped, BITS=bits, AT_ONCE=AT_ONCE, TILE=TILE
    )
    parts = [torch.sort(part.flatten(), descending=True, stable=True).indices for part in torch.split(keys, AT_ONCE)]
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).view(2 * heads, length)


def ranks(
    columns: Tensor, slashes: Tensor, forced: tuple[int, int], least: int, dropped: int, bits: int
) -> tuple[Tensor, Tensor]:
    """`line_ranks` with inputs that were checked and are contiguous."""
    heads, length = columns.shape
    first_column, first_slash = (min(number, length) for number in forced)
    order = lines_in_order(columns, slashes, (first_column, first_slash), least, dropped, bits)
    ranked = torch.empty_like(order, dtype=torch.int32)
    ranks_of[(triton.cdiv(length, TILE), 2 * heads)](
        order, ranked, length, heads, first_column, first_slash, AT_ONCE=AT_ONCE, TILE=TILE
    )
    across, along = ranked.view(2, heads, length)
    return across, along
