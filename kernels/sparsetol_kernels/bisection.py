"""The largest number that fits a budget, for several budgets at once and without a look at the host."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def largest_that_fits(fits: Callable[[Tensor], Tensor], least: Tensor, most: int, *, at_once: int) -> Tensor:
    """The largest n of `least` to `most` for which `fits` holds; `least` where none does.

    Args:
        fits: whether such numbers fit, int64 `[at_once, *least.shape]` to bool of the same shape; what fits, fits with
            smaller numbers.
        least: int64 of any shape, 0 or more.
        most: at least `least`.
        at_once: numbers tried in a round, evenly over what is left: 1 halves it. More of them take fewer rounds, which
            pays where a round is bound by launches.

    """
    largest = torch.full_like(least, most)
    part = torch.arange(at_once + 2, device=least.device).view(-1, *[1] * least.dim())
    left = most + 1
    while left > 1:
        # The answer lies in one of at_once + 1 parts; each bound but the ends is tried.
        bounds = least - (least - largest - 1) * part // (at_once + 1)
        passed = fits(bounds[1:-1].minimum(largest)).long().cumprod(dim=0).sum(dim=0, keepdim=True)
        least, after = (torch.gather(bounds, 0, passed + more)[0] for more in (0, 1))
        least = least.minimum(largest)
        largest = (after - 1).minimum(largest).maximum(least)
        left = -(-left // (at_once + 1))
    return least
