"""How many columns and diagonals of all heads of a layer, ranked together, fit into one number of query-key pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend
from sparsetol_kernels.errors import require
from sparsetol_kernels.inputs import check_lines
from sparsetol_kernels.line_budget import budget_backend
from sparsetol_kernels.line_counts import lines_by_counting
from sparsetol_kernels.lines import attended_and_loaded

_NAME = "layer_lines_that_fit"


def layer_lines_that_fit(
    column_rank: Tensor, slash_rank: Tensor, budget: int, most: int, block: int, *, backend: Backend | None = None
) -> tuple[Tensor, Tensor]:
    """The most lines, taken in turn, that hold at most `budget` pairs together; then the most columns beside them.

    As `line_budget.lines_that_fit`, with one budget and one order for all heads. Lines of rank -1 are taken whatever
    they hold, and count when further columns are sought.

    Args:
        column_rank: int32 `[heads, length]`, by key, from -1 to under `most`, columns and diagonals of all heads in one
            order, which may leave numbers out.
        slash_rank: int32 `[heads, length]`, by offset (query position - key position), in the same order.
        budget: causal query-key pairs of all heads.
        most: what all ranks are under, 1 to 2 ** 31 - 1.
        block: query rows in a row block.
        backend: what must compute it; None for the fastest on the device that takes the call.

    Returns:
        What ranks of diagonals, and of columns, are under that are taken: int64 without dimensions each, the largest
        such number up to `most`, 0 where none fits; that of the columns is not less.

    Raises:
        InputError: for tensors or numbers other than these.
        BackendError: where the named backend does not take the call.

    """
    check_lines(_NAME, ("column_rank", "slash_rank"), column_rank, slash_rank, torch.int32)
    require(0 < most < 1 << 31, _NAME, lambda: f"most {most} must be 1 to {(1 << 31) - 1}")
    if budget_backend(_NAME, column_rank, block, backend) is Backend.PYTORCH:
        return _by_counting(column_rank, slash_rank, budget, most, block)
    from sparsetol_kernels.on_triton.line_budget import search

    lines, columns = search(column_rank.contiguous(), slash_rank.contiguous(), budget, most, block, together=True)
    return lines[0], columns[0]


def _by_counting(column_rank: Tensor, slash_rank: Tensor, budget: int, most: int, block: int) -> tuple[Tensor, Tensor]:
    # Counted without the numbers that no line has; -1 always is one of them, and taken.
    ranks = torch.unique(torch.cat([column_rank.flatten(), slash_rank.flatten(), column_rank.new_tensor([-1, most])]))
    across, along = (torch.searchsorted(ranks, part, out_int32=True) for part in (column_rank, slash_rank))
    lines, columns = lines_by_counting(across, along, budget, len(ranks) - 1, block)
    if int(columns) == 1 and attended_and_loaded(slash_rank < 0, column_rank < 0, block)[0].sum() > budget:
        return torch.zeros_like(lines), torch.zeros_like(columns)
    return ranks[lines].long(), ranks[columns].long()
