"""The order of scores against sorting each row by itself."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.ranking import AT_ONCE, best_first

LENGTH = 301


@pytest.mark.parametrize("rows", [5, AT_ONCE + 5])
def test_rows_are_ordered_as_each_by_itself(rows: int) -> None:
    scores = torch.rand(rows, LENGTH, generator=torch.Generator().manual_seed(1)) ** 8
    scores[0, 3:90] = 0.0
    scores[1, ::7] = float("inf")
    scores[2] = scores[2, 0]
    scores[3, 5] = torch.finfo(torch.float32).max
    scores[4] *= 1e-40

    values, order = best_first(scores)

    for row, found in enumerate(order.tolist()):
        assert found == sorted(range(LENGTH), key=lambda at: (-float(scores[row, at]), at))
    assert torch.equal(values, scores.gather(1, order))
