"""Vertical-Slash: in prefill, attend the key columns and the diagonals that the last queries attend most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import PrefillMethod

if TYPE_CHECKING:
    from sparsetol_kernels.selection import KeySelection
    from torch import Tensor


@dataclass(frozen=True)
class VerticalSlash(PrefillMethod):
    """Columns and diagonals of the attention matrix, chosen per query head from the prompt's last queries.

    Source: Jiang et al. 2024 (MInference), arXiv 2407.02490, as configured in The Sparse Frontier, arXiv 2504.17768:
    an approximation window of 256 queries, 64 x 64 blocks, as many verticals as slashes.

    Definition: the softmax of the last `window` queries is summed over each key column and over each diagonal. For
    every block of 64 query rows, a chosen diagonal at offset o brings the whole range of 64 keys that it crosses
    there; a chosen column brings its key. Causality holds inside.

    Always kept: the first `sinks` columns and the diagonals of offset 0 to `local` - 1.

    Budget: lines are taken in turn, the next best column with the next best diagonal, as many as fit into
    `1 - sparsity` of the causal pairs; what is left goes to further columns. So every head of every layer of every
    prompt holds the declared sparsity to within one column.

    Loaded: 64 rows for each selected key of a row block, as the paper counts, the non-causal half of the diagonal
    blocks included.

    Cost of selection: `window` rows of the score matrix, two sorts of length L a head.

    Departures: the paper fixes the number of lines for each length, from statistics collected offline, so that its
    sparsity follows the input; here the sparsity is fixed and the number of lines follows. Scores stay in float32
    (there bfloat16). Ranges are not widened to multiples of 64 keys once merged. Ties go to the smaller index.
    """

    name: ClassVar[str] = "vertical_slash"

    window: int = 256
    sinks: int = 4
    local: int = 64
    block: ClassVar[int] = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        for parameter, value, least in (("window", self.window, 1), ("sinks", self.sinks, 0), ("local", self.local, 1)):
            if value < least:
                raise MethodError(f"{parameter} {value} must be at least {least}")

    def reach(self, length: int) -> float:
        """What the sinks and the local diagonals leave."""
        kept = 0
        for start in range(0, length, self.block):
            rows = min(self.block, length - start)
            first = max(0, start - self.local + 1)
            kept += rows * (start - first) + rows * (rows + 1) // 2 + rows * min(self.sinks, first)
        return max(0.0, 1 - kept / (length * (length + 1) // 2))

    def select(self, query: Tensor, key: Tensor, scale: float) -> KeySelection:
        """Key ranges and columns of each head and row block, filled to the declared sparsity."""
        import torch
        from sparsetol_kernels.selection import KeySelection, causal_weights
        from sparsetol_kernels.vertical_slash import vertical_slash_scores

        length = key.shape[1]
        verticals, slashes = vertical_slash_scores(query, key, scale, self.window)
        vertical_rank = _ranks(verticals, self.sinks)
        slash_rank = _ranks(slashes, self.local)
        # The best rank of the diagonals that cross key c in the row block that starts at row r: offsets r-c to r-c+63.
        reaching = torch.nn.functional.pad(slash_rank, (self.block - 1, self.block - 1), value=length)
        crossing = reaching.unfold(1, self.block, 1).amin(dim=-1)
        starts = torch.arange(0, length, self.block, device=key.device)
        offsets = starts[:, None] - torch.arange(length, device=key.device)
        slash_level = crossing[:, (offsets + self.block - 1).clamp(min=0)]
        weights = causal_weights(length, self.block, key.device)
        budget = int((1 - self.sparsity) * (length * (length + 1) // 2))
        level = torch.minimum(slash_level, vertical_rank[:, None, :])
        lines = _largest_that_fits(level, weights, budget)
        within = level < lines[:, None, None]
        left = budget - (within * weights).sum(dim=(1, 2))
        columns = _largest_that_fits(vertical_rank[:, None, :].where(~within, length + 1), weights, left)
        keys = within | (vertical_rank < columns[:, None])[:, None, :]
        return KeySelection(keys & (weights > 0), self.block)


def _ranks(scores: Tensor, forced: int) -> Tensor:
    """Rank of each line of each head, the first `forced` lines at 0 and the rest from 1 on, best first."""
    import torch

    count = scores.shape[1]
    forced = min(forced, count)
    order = torch.sort(scores[:, forced:], dim=-1, descending=True, stable=True).indices
    rest = torch.empty_like(order)
    rest.scatter_(1, order, torch.arange(1, count - forced + 1, device=scores.device).expand_as(order))
    return torch.cat([torch.zeros_like(scores[:, :forced], dtype=rest.dtype), rest], dim=1)


def _largest_that_fits(level: Tensor, weights: Tensor, budget: Tensor | int) -> Tensor:
    """For each head the largest n such that all entries with `level < n` together weigh at most `budget`, at least 1.

    Args:
        level: `[heads, row blocks, length]`, whole numbers of 0 to length + 1.
        weights: `[row blocks, length]`, causal pairs of each entry.
        budget: pairs, one number or one for each head.

    """
    import torch

    heads, _, length = level.shape[0], level.shape[1], level.shape[2]
    pairs = torch.zeros(heads, length + 2, dtype=torch.int64, device=level.device)
    pairs.scatter_add_(1, level.expand(-1, *weights.shape).reshape(heads, -1), weights.expand(heads, -1, -1).flatten(1))
    limit = budget[:, None] if isinstance(budget, torch.Tensor) else budget
    return (pairs.cumsum(dim=1) <= limit).sum(dim=1).clamp(min=1)
