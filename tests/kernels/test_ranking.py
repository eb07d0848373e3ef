"""The order of scores against sorting each row by itself."""

from __future__ import annotations

import torch
from sparsetol_kernels.ranking import best_first


def test_rows_are_ordered_as_each_by_itself() -> None:
    scores = torch.rand(5, 301, generator=torch.Generator().manual_seed(1)) ** 8
    scores[0, 3:90] = 0.0
    scores[1, ::7] = float("inf")
    scores[2] = scores[2, 0]
    scores[3, 5] = torch.finfo(torch.float32).max
    scores[4] *= 1e-40

    order = best_first(scores)

    for row in range(5):
        assert (order[row] - 301 * row).tolist() == sorted(range(301), key=lambda at: (-float(scores[row, at]), at))
