"""How much of a head's attention mass its best lines cover, by definition."""

from __future__ import annotations

import torch
from torch import Tensor


def coverage_before(scores: Tensor) -> Tensor:
    """Share of the whole mass that lies in the lines ahead of each, once these are sorted from the largest down.

    The line at position k belongs to the fewest lines that cover a share alpha exactly where its value is under alpha.

    Source: the cumulative threshold of Lai et al. 2025 (FlexPrefill), arXiv 2502.20766.

    Args:
        scores: mass of each line, not negative, `[heads, lines]`.

    Returns:
        float64 `[heads, lines]`, by position in the sorted order: 0 at the first, rising to at most 1.

    """
    mass = torch.sort(scores.double(), dim=-1, descending=True, stable=True).values
    ahead: Tensor = mass.cumsum(dim=-1) - mass
    return (ahead / mass.sum(dim=-1, keepdim=True)).clamp(min=0.0, max=1.0)
