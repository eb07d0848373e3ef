"""How many columns and diagonals of all heads of a layer, ranked together, fit into one number of query-key pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend
from sparsetol_kernels.errors import require, require_shape
from sparsetol_kernels.line_budget import budget_backend, check_ranks
from sparsetol_kernels.line_counts import lines_by_counting

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
    check_ranks(_NAME, column_rank, slash_rank)
    require_shape(_NAME, "least", least, (), "[]")
    require(least.dtype == torch.int64, _NAME, f"least is {least.dtype}; wanted int64")
    every = 2 * column_rank.numel()
    if budget_backend(_NAME, column_rank, block, backend) is Backend.PYTORCH:
        return lines_by_counting(column_rank, slash_rank, budget, least, every, block)
    from sparsetol_kernels.on_triton.line_budget import search

    lines, columns = search(column_rank.contiguous(), slash_rank.contiguous(), budget, least[None], every, block)
    return lines[0], columns[0]
