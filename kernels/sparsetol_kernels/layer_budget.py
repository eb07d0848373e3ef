"""How many columns and diagonals of all heads of a layer, ranked together, fit into one number of query-key pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend, choose_backend, triton_serves
from sparsetol_kernels.bisection import largest_that_fits
from sparsetol_kernels.errors import require, require_shape
from sparsetol_kernels.line_budget import BLOCKS
from sparsetol_kernels.line_counts import lines_by_counting

SHORTEST = 8
"""Tokens from which on the kernel, which is that of `line_budget`, tells seven numbers apart."""

_NAME = "layer_lines_that_fit"


def layer_lines_that_fit(
    column_rank: Tensor, slash_rank: Tensor, budget: int, least: Tensor, block: int, *, backend: Backend | None = None
) -> tuple[Tensor, Tensor]:
    """The most lines, taken in turn, that hold at most `budget` pairs together; then the most columns beside them.

    As `line_budget.lines_that_fit`, with one budget and one order for all heads. The first `least` lines are taken
    whatever they hold, and count when further columns are sought.

    Args:
        column_rank: int32 `[heads, length]`, by key, from 0 to under 2 x heads x length, columns and diagonals of all
            heads in one order.
        slash_rank: int32 `[heads, length]`, by offset (query position - key position), in the same order.
        budget: causal query-key pairs of all heads.
        least: int64, no dimensions.
        block: query rows in a row block.
        backend: what must compute it; None for the fastest that takes the call.

    Returns:
        How many ranks of the diagonals, and of the columns, are taken: int64 without dimensions each, `least` to the
        number of lines, columns at least as many as diagonals.

    Raises:
        InputError: for tensors other than these.
        BackendError: where the named backend does not take the call.

    """
    require_shape(_NAME, "column_rank", column_rank, (None, None), "[heads, length]")
    require_shape(_NAME, "slash_rank", slash_rank, tuple(column_rank.shape), f"{list(column_rank.shape)}")
    require_shape(_NAME, "least", least, (), "[]")
    require(
        column_rank.dtype == slash_rank.dtype == torch.int32 and least.dtype == torch.int64,
        _NAME, f"ranks are {column_rank.dtype} and {slash_rank.dtype}, least {least.dtype}; wanted int32 and int64",
    )  # fmt: skip
    on_triton = triton_serves(column_rank.device) and block in BLOCKS and column_rank.shape[1] >= SHORTEST
    takes = {Backend.TRITON: on_triton, Backend.PYTORCH: True}
    call = f"row blocks of {block} and {column_rank.shape[1]} tokens on {column_rank.device}"
    if choose_backend(_NAME, backend, takes, call) is Backend.PYTORCH:
        return lines_by_counting(column_rank, slash_rank, budget, least, 2 * column_rank.numel(), block)
    return _in_triton(column_rank.contiguous(), slash_rank.contiguous(), budget, least, block)


def _in_triton(
    column_rank: Tensor, slash_rank: Tensor, budget: int, least: Tensor, block: int
) -> tuple[Tensor, Tensor]:
    """With the kernels of one head's budget; in place of a rank they get which of the tried numbers are above it."""
    from sparsetol_kernels.on_triton import line_budget as on_triton

    heads, length = column_rank.shape
    device, every, tried = column_rank.device, 2 * column_rank.numel(), on_triton.TRIED
    places = length + block - 1
    met = column_rank.new_empty(heads, places)
    on_triton.first_rank[(-(-places // 1024), heads)](slash_rank, met, length, places, BLOCK=block, TILE=1024)
    # A rank becomes 0 where it is under all that are tried, else the kernel's number for the last one it reaches.
    which = torch.arange(tried + 1, dtype=torch.int32, device=device)
    codes = (1 + (length * which + tried) // (tried + 1)).masked_fill(which == 0, 0)

    def launch(columns: Tensor, crossed: Tensor, held: Tensor, by_rank: Tensor, *, last: bool) -> None:
        on_triton.line_pairs[(block // on_triton.WIDTH, heads, 1 if last else tried)](
            columns, crossed, held, by_rank, 0, length, places, 0,
            BLOCK=block, WIDTH=on_triton.WIDTH, ROWS=on_triton.ROWS, TRIED=tried, BY_RANK=last,
        )  # fmt: skip

    def fit(numbers: Tensor) -> Tensor:
        held = torch.zeros(heads, tried, dtype=torch.int64, device=device)
        columns, crossed = (codes[torch.bucketize(rank, numbers.int(), right=True)] for rank in (column_rank, met))
        launch(columns, crossed, held, held, last=False)
        return held.sum(dim=0) <= budget

    lines = largest_that_fits(fit, torch.zeros_like(least), every, at_once=tried).maximum(least)
    # What each column brings beside these diagonals goes to its place; what they hold themselves, to place 0.
    brought = torch.zeros(heads, length + 1, dtype=torch.int64, device=device)
    place = torch.arange(1, length + 1, dtype=torch.int32, device=device).expand(heads, -1).contiguous()
    launch(place, (met >= lines).int(), brought, brought, last=True)
    by_rank = brought.new_zeros(every).scatter_add_(0, column_rank.long().flatten(), brought[:, 1:].flatten())
    columns = (by_rank.cumsum(0) + brought[:, 0].sum() <= budget).sum()
    return lines, columns.maximum(lines)
