"""Coverage against counting lines one by one."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.coverage import coverage_before


@pytest.mark.parametrize("lines", [1, 7, 63, 300])
def test_lines_under_a_share_are_the_fewest_that_cover_it(lines: int) -> None:
    scores = torch.rand(3, lines, generator=torch.Generator().manual_seed(1)) ** 4

    before = coverage_before(scores.sort(descending=True).values)

    for head in range(3):
        total = float(scores[head].double().sum())
        for alpha in (0.013, 0.31, 0.65, 0.871, 0.99):
            covered, count = 0.0, 0
            for mass in sorted(scores[head].double().tolist(), reverse=True):
                if covered >= alpha * total:
                    break
                covered, count = covered + mass, count + 1
            assert int((before[head] < alpha).sum()) == count


def test_coverage_rises_from_nothing() -> None:
    before = coverage_before(torch.tensor([[5.0, 2.0, 1.0, 0.0, 0.0]]))

    torch.testing.assert_close(before, torch.tensor([[0.0, 0.625, 0.875, 1.0, 1.0]], dtype=torch.float64))
