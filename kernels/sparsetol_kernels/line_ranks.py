"""The order in which each head takes columns and diagonals."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend, choose_backend, triton_serves
from sparsetol_kernels.inputs import check_lines

BITS = 26
"""Bits of what lines are ordered by."""

DROPPED = 3
"""Bits of a float32's 23 that do not count in the order: what is left tells one part in a million apart."""

_NAME = "line_ranks"


def line_ranks(
    columns: Tensor, slashes: Tensor, forced: tuple[int, int], most: float, *, backend: Backend | None = None
) -> tuple[Tensor, Tensor]:
    """Rank of each line: 0 for the forced ones, which are the first, and from 1 on for the rest, best first.

    Scores are told apart by their first 21 significant bits, and down to 2 ** -62 of the power of two that `most` lies
    under: of lines that tie so, the smaller index goes first. Sums in float32 are hardly known better, and numbers of
    32 bits, which hold the row as well, are sorted in half of the time.

    Args:
        columns: attention mass by key, float32 `[heads, length]`, 0 to `most` (not -0.0, not NaN).
        slashes: the same by offset (query position - key position).
        forced: how many columns and diagonals, from the first on, are taken before all others; all that there are where
            the prompt is shorter.
        most: what no score exceeds: the rows that were summed.
        backend: what must compute it; None for the fastest on the device that takes the call.

    Returns:
        int32 `[heads, length]` each.

    Raises:
        InputError: for tensors other than these.
        BackendError: where the named backend does not take the call.

    """
    check_lines(_NAME, ("columns", "slashes"), columns, slashes, torch.float32)
    if rank_backend(_NAME, columns, backend) is Backend.TRITON:
        from sparsetol_kernels.on_triton.line_ranks import ranks

        return ranks(columns.contiguous(), slashes.contiguous(), forced, zero_bits(most), DROPPED, BITS)
    least = zero_bits(most)
    across, along = (_ranked(scores, first, least) for scores, first in zip((columns, slashes), forced, strict=True))
    return across, along


def rank_backend(name: str, columns: Tensor, backend: Backend | None) -> Backend:
    """What ranks these lines; raises `BackendError` where `backend` cannot."""
    takes = {Backend.TRITON: triton_serves(columns.device), Backend.PYTORCH: True}
    return choose_backend(name, backend, takes, lambda: f"tensors on {columns.device}")


def zero_bits(most: float) -> int:
    """Bits of the float32 up to which scores tie with zero: 62 powers of two below the one that `most` lies under."""
    return (127 + math.frexp(most)[1] - 62) << 23


def keys(scores: Tensor, least: int) -> Tensor:
    """What lines are ordered by: the bits of a float that is not negative are in the order of its values."""
    bits = scores.contiguous().view(torch.int32)
    return ((bits - least).clamp(min=0) >> DROPPED).clamp(max=(1 << BITS) - 2)


def _ranked(scores: Tensor, first: int, least: int) -> Tensor:
    ordered = keys(scores, least)
    ordered[:, :first] = (1 << BITS) - 1
    order = torch.sort(ordered, dim=1, descending=True, stable=True).indices
    place = torch.arange(1, scores.shape[1] + 1, dtype=torch.int32, device=scores.device)
    rank = (place - min(first, scores.shape[1])).clamp_(min=0)
    return torch.empty_like(ordered).scatter_(1, order, rank.expand_as(order))
