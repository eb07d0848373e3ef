"""How much of a head's attention mass its best lines cover, by definition."""

from __future__ import annotations

from torch import Tensor


def coverage_before(mass: Tensor) -> Tensor:
    """Share of the whole mass that lies in the lines ahead of each.

    The line at position k belongs to the fewest lines that cover a share alpha exactly where its value is under alpha.

    Source: the cumulative threshold of Lai et al. 2025 (FlexPrefill), arXiv 2502.20766.

    Args:
        mass: of each line, not negative, from the largest down: `[heads, lines]`.

    Returns:
        float64 `[heads, lines]`: 0 at the first, rising to at most 1.

    """
    mass = mass.double()
    ahead: Tensor = mass.cumsum(dim=-1) - mass
    return (ahead / mass.sum(dim=-1, keepdim=True)).clamp(min=0.0, max=1.0)
