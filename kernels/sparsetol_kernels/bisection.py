"""The largest number that fits a budget, for several budgets at once and without a look at the host."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def largest_that_fits(fits: Callable[[Tensor], Tensor], least: Tensor, most: int) -> Tensor:
    """The largest n of `least` to `most` for which `fits` holds; `least` where none does.

    Args:
        fits: whether such numbers fit, int64 to bool of the same shape; what fits, fits with smaller numbers.
        least: int64 of any shape, 0 or more.
        most: at least `least`.

    """
    largest = torch.full_like(least, most)
    for _ in range(most.bit_length()):
        middle = (least + largest + 1) // 2
        fit = fits(middle)
        least, largest = torch.where(fit, middle, least), torch.where(fit, largest, middle - 1).maximum(least)
    return least
