"""One order of the columns and diagonals of all heads of a layer, by the attention that those ahead of each cover."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend
from sparsetol_kernels.coverage import coverage_before
from sparsetol_kernels.errors import require
from sparsetol_kernels.inputs import check_lines
from sparsetol_kernels.line_ranks import BITS, DROPPED, keys, rank_backend, zero_bits

FINEST = 1 << 24
"""Steps of coverage that are told apart, as in a float32; fewer where ranks of so many lines would not fit 31 bits."""

_NAME = "covering_ranks"


@dataclass(frozen=True)
class CoveringRanks:
    """Ranks of the columns and diagonals of all heads, no two alike but those of forced lines.

    Attributes:
        columns: int32 `[heads, length]`, by key: -1 for forced columns, from 0 on for the rest.
        slashes: the same by offset (query position - key position).
        floor: lines of a kind that each head has before coverage counts.
        steps: of coverage, from nothing to all of it.

    """

    columns: Tensor
    slashes: Tensor
    floor: int
    steps: int

    @property
    def most(self) -> int:
        """What all ranks are under."""
        return self._lines * (self.floor + self.steps + self.columns.shape[1])

    def covering(self, alpha: float) -> int:
        """What the ranks are under of the lines that belong to a share `alpha` of their kind's attention."""
        return self._lines * (self.floor + round(alpha * self.steps))

    def covered(self, rank: Tensor) -> Tensor:
        """The share of attention ahead of a line of this rank: float64."""
        step = rank.div(self._lines, rounding_mode="floor") - self.floor
        return (step.double() / self.steps).clamp(0.0, 1.0)

    @property
    def _lines(self) -> int:
        """How many lines have one place: a column and a diagonal of each head."""
        return 2 * len(self.columns)


def covering_ranks(
    columns: Tensor,
    slashes: Tensor,
    forced: tuple[int, int],
    floor: int,
    most: float,
    *,
    backend: Backend | None = None,
) -> CoveringRanks:
    """Rank every line of a layer by what must be granted to its head until it is taken.

    A head takes its forced columns, then the others from the best down; diagonals likewise. Until a place under `floor`
    is taken, the place itself must be granted; from there on, `floor` and the coverage that as many of the best lines
    of the kind have, forced or not. Coverage counts in `steps`, rounded down; lines of one head and kind that lie in
    one step follow each other in steps of one. Of lines at the same step columns go first, then the head with the
    smaller index.

    Source: the cumulative threshold of Lai et al. 2025 (FlexPrefill), arXiv 2502.20766, turned into an order, so that
    the threshold can be sought for a number of query-key pairs.

    Args:
        columns: attention mass by key, float32 `[heads, length]`, 0 to `most` (not -0.0, not NaN); scores tie as in
            `line_ranks`.
        slashes: the same by offset (query position - key position).
        forced: how many columns and diagonals, from the first on, each head takes before all others; all that there are
            where the prompt is shorter.
        floor: lines of a kind that each head has whatever they cover.
        most: what no score exceeds: the rows that were summed.
        backend: what must compute it; None for the fastest on the device that takes the call.

    Raises:
        InputError: for tensors other than these, or more heads and tokens than 31 bits can rank.
        BackendError: where the named backend does not take the call.

    """
    check_lines(_NAME, ("columns", "slashes"), columns, slashes, torch.float32)
    heads, length = columns.shape
    lines = 2 * heads * length
    require(lines < 1 << 29, _NAME, f"{lines} lines are too many: a layer has fewer than {1 << 29}")
    chosen = rank_backend(_NAME, columns, backend)
    floor = min(floor, length)
    steps = min(FINEST, 1 << (((1 << 31) // (2 * heads) - 1 - floor - length).bit_length() - 1))
    forced = (min(forced[0], length), min(forced[1], length))
    if chosen is Backend.TRITON:
        from sparsetol_kernels.on_triton.covering_ranks import ranks

        of_kinds = ranks(
            columns.contiguous(), slashes.contiguous(), forced, floor, steps, zero_bits(most), DROPPED, BITS
        )
    else:
        of_kinds = _by_definition(columns, slashes, forced, floor, steps, zero_bits(most))
    return CoveringRanks(*of_kinds, floor, steps)


def _by_definition(
    columns: Tensor, slashes: Tensor, forced: tuple[int, int], floor: int, steps: int, least: int
) -> tuple[Tensor, Tensor]:
    heads, length = columns.shape
    mass = torch.cat((columns, slashes))
    line = torch.sort(keys(mass, least), dim=1, descending=True, stable=True).indices
    first = torch.tensor(forced, device=mass.device).repeat_interleave(heads)[:, None]
    place = torch.arange(length, device=mass.device)
    step = floor + (coverage_before(mass.gather(1, line)) * steps).long()
    step = place.where(place < floor, step)
    # Never fewer than one more than the place before has.
    step = place + (step - place).cummax(dim=1).values
    rank = step * 2 * heads + torch.arange(2 * heads, device=mass.device)[:, None]
    rank = rank.where(place >= first, -1).int()
    # Forced lines leave their places by mass and go ahead of the others.
    at_front = line < first
    taken_at = line.where(at_front, place - at_front.cumsum(dim=1) + first)
    ranked = torch.empty_like(rank).scatter_(1, line, rank.gather(1, taken_at))
    across, along = ranked.view(2, heads, length)
    return across, along
