"""How many ranked columns and diagonals fit into a number of query-key pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend, choose_backend, triton_serves
from sparsetol_kernels.errors import require
from sparsetol_kernels.inputs import check_lines
from sparsetol_kernels.line_counts import lines_by_counting

LONGEST = {16: 1 << 19, 32: 1 << 20, 64: 1 << 20, 128: 1 << 20}
"""Row blocks that the kernel takes, and the tokens whose pairs it counts in 32 bits; PyTorch takes any."""

_NAME = "lines_that_fit"


def lines_that_fit(
    column_rank: Tensor, slash_rank: Tensor, budget: int, block: int, *, backend: Backend | None = None
) -> tuple[Tensor, Tensor]:
    """The most lines, taken in turn, that hold at most `budget` pairs together; then the most columns beside them.

    The n best are the lines of rank 0 to n - 1. First n is sought for columns and diagonals alike, then further columns
    are added to those diagonals. Ranks of 0 are always taken: n is at least 1, whatever the budget.

    Args:
        column_rank: int32 `[heads, length]`, by key, 0 to `length`.
        slash_rank: int32 `[heads, length]`, by offset (query position - key position).
        budget: causal query-key pairs of a head.
        block: query rows in a row block.
        backend: what must compute it; None for the fastest on the device that takes the call.

    Returns:
        How many ranks of the diagonals, and of the columns, are taken: int64 `[heads]` each, 1 to `length` + 1.

    Raises:
        InputError: for tensors other than these.
        BackendError: where the named backend does not take the call.

    """
    check_lines(_NAME, ("column_rank", "slash_rank"), column_rank, slash_rank, torch.int32)
    if budget_backend(_NAME, column_rank, block, backend) is Backend.PYTORCH:
        return _by_counting(column_rank, slash_rank, budget, block)
    from sparsetol_kernels.on_triton.line_budget import search

    most = column_rank.shape[1] + 1
    return search(column_rank.contiguous(), slash_rank.contiguous(), budget, most, block, together=False)


def budget_backend(name: str, column_rank: Tensor, block: int, backend: Backend | None) -> Backend:
    """What counts the lines of one budget; raises `BackendError` where `backend` cannot."""
    require(min(column_rank.shape) > 0, name, lambda: f"column_rank has shape {list(column_rank.shape)}; none may be 0")
    require(block >= 1, name, lambda: f"block {block} must be at least 1 row")
    length = column_rank.shape[1]
    on_triton = triton_serves(column_rank.device) and length <= LONGEST.get(block, 0)
    takes = {Backend.TRITON: on_triton, Backend.PYTORCH: True}
    return choose_backend(
        name, backend, takes, lambda: f"row blocks of {block} and {length} tokens on {column_rank.device}"
    )


def _by_counting(column_rank: Tensor, slash_rank: Tensor, budget: int, block: int) -> tuple[Tensor, Tensor]:
    heads, length = column_rank.shape
    each = [slice(head, head + 1) for head in range(heads)]
    found = [lines_by_counting(column_rank[h], slash_rank[h], budget, length + 1, block) for h in each]
    lines, columns = zip(*found, strict=True)
    return torch.stack(lines), torch.stack(columns)
