"""The order of scores, the largest first."""

from __future__ import annotations

import torch
from torch import Tensor

AT_ONCE = 127
"""Rows in one sort: PyTorch sorts fewer than 128 long rows together, more of them far more slowly."""


def best_first(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The scores of each row from the largest down, and where they lie, ties to the smaller index.

    Args:
        scores: `[rows, length]`, not -0.0, not NaN; inf allowed.

    Returns:
        The sorted scores, and int64 indexes into the row: `[rows, length]` each.

    """
    parts = [torch.sort(part, dim=1, descending=True, stable=True) for part in torch.split(scores, AT_ONCE)]
    if len(parts) == 1:
        return parts[0].values, parts[0].indices
    values, indices = zip(*parts, strict=True)
    return torch.cat(values), torch.cat(indices)
