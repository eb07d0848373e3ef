"""The order of scores, the largest first."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.errors import require


def best_first(scores: Tensor) -> Tensor:
    """Where the scores of each row lie, from the largest down, ties to the smaller index.

    All rows in one sort: on a GPU, sorting a few long rows each by itself takes many times as long.

    Args:
        scores: float32 `[rows, length]`, 0 or more (not -0.0, not NaN), inf allowed; fewer than 2 ** 31 rows.

    Returns:
        int64 `[rows, length]`, indexes into the flattened scores; a row's stay in its row.

    Raises:
        InputError: for another dtype.

    """
    require(scores.dtype == torch.float32, "best_first", f"scores are {scores.dtype}; wanted torch.float32")
    # The bits of floats that are not negative are in the order of their values.
    bits = scores.contiguous().view(torch.int32)
    row = torch.arange(1, len(scores) + 1, device=scores.device)[:, None]
    return torch.sort(((row << 31) - bits).flatten(), stable=True).indices.view(scores.shape)
