"""FlexPrefill: in prefill, as many columns and diagonals as each head needs to cover the same share of attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import PrefillMethod, last_rows
from pytest_sparsetol.methods.vertical_slash import VerticalSlash

if TYPE_CHECKING:
    from sparsetol_kernels.selection import LineSelection
    from torch import Tensor

_FEW_LINES = 1 << 19
"""Lines of a layer up to which several budgets are tried in a pass."""


@dataclass(frozen=True)
class FlexPrefill(PrefillMethod):
    """Columns and diagonals of the attention matrix, as Vertical-Slash's, in numbers that differ between heads.

    Source: Lai et al. 2025, arXiv 2502.20766, as configured in The Sparse Frontier, arXiv 2504.17768: the
    vertical-slash branch alone (no query-aware branch), token by token in float32, an approximation window of 256
    queries, 64 x 64 blocks, min_budget 512.

    Definition: columns and diagonals are scored as in Vertical-Slash. Each head has max(`min_budget`, the fewest
    columns that cover a share alpha of the columns' mass) columns, and as many diagonals by the same rule on the
    diagonals' mass; both are counted before the forced lines take the first places. A chosen diagonal brings, for every
    block of 64 query rows, the range of 64 keys that it crosses; a chosen column brings its key.

    Always kept: the first `sinks` columns and the diagonals of offset 0 to `local` - 1.

    Budget: one for all query heads of a layer. Alpha is the largest at which their mean attended share is at most
    `1 - sparsity`: heads with concentrated attention give to heads with scattered attention. Where `min_budget` lines a
    head are already too many, alpha is 0 and min_budget is lowered until they fit: then heads are alike, as in the
    paper at its highest sparsities. What is left over, less than a diagonal, goes to the next columns of the layer. So
    every layer of every prompt holds the declared sparsity to within one column of one head; single heads do not. The
    alphas found are reported. `alpha` in place of a sparsity is the paper's; the sparsity then follows from the input.

    Loaded: 64 rows for each selected key of a row block, as in Vertical-Slash.

    Cost of selection: that of Vertical-Slash, and one sort of all lines of a layer.

    Departures: the paper fixes alpha and min_budget for each length and measures the sparsity that follows, for each
    prompt and layer; here the sparsity is fixed, for each prompt and layer, and alpha follows. So no layer has more
    than another, which the paper's alpha allows. `min_budget: null` means 1/32 of the prompt, at most 512: the paper's
    512 at its shortest length, 16k; at 1k, 512 lines would be half the prompt. `local: null` is the paper's 64 from
    4,096 tokens on and a sixty-fourth of the prompt below. Lines that tie in coverage go columns
    first, then by position and head.
    """

    name: ClassVar[str] = "flexprefill"

    window: int = 256
    sinks: int = 4
    local: int | None = None
    min_budget: int | None = None
    alpha: float | None = None
    explicit: ClassVar[tuple[str, ...]] = ("alpha",)
    block: ClassVar[int] = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        self._lines()
        if self.alpha is not None and self.alpha > 1:
            raise MethodError(f"alpha {self.alpha} must be at most 1: the share of the attention that lines cover")
        if self.min_budget is not None and self.min_budget < 0:
            raise MethodError(f"min_budget {self.min_budget} must be at least 0")

    def _lines(self) -> VerticalSlash:
        return VerticalSlash(self.sparsity or 0.0, window=self.window, sinks=self.sinks, local=self.local)

    def settings(self, length: int) -> dict[str, object]:
        """With the floor and the diagonals that are always kept at `length` tokens."""
        local = self._lines().local_at(length)
        return super().settings(length) | {"local": local, "min_budget": self.floor(length)}

    def floor(self, length: int) -> int:
        """Columns, and diagonals, that each head has at least, unless the sparsity leaves no room for them."""
        return min(512, length // 32) if self.min_budget is None else self.min_budget

    def reach(self, length: int) -> float:
        """What the sinks and the local diagonals leave."""
        return self._lines().reach(length)

    def scored_pairs(self, length: int) -> float:
        """The rows of the window."""
        return last_rows(self.window, length)

    def select(self, query: Tensor, key: Tensor, scale: float) -> LineSelection:
        """Columns and diagonals of each head, filled to the layer's declared sparsity."""
        import torch
        from sparsetol_kernels.bisection import largest_that_fits
        from sparsetol_kernels.lines import line_pairs
        from sparsetol_kernels.selection import LineSelection
        from sparsetol_kernels.vertical_slash import vertical_slash_scores

        heads, length, _ = query.shape
        verticals, slashes = vertical_slash_scores(query, key, scale, self.window)
        floor = self.floor(length)
        vertical_order, vertical_need = _places(verticals, self.sinks, floor)
        slash_order, slash_need = _places(slashes, self._lines().local_at(length), floor)
        # Both kinds of line of all heads in one order: rank 0 is the first that a growing budget takes.
        need = torch.stack([vertical_need.T, slash_need.T])
        ordered = torch.sort(need.flatten(), stable=True)
        ranked = torch.empty(need.numel(), dtype=torch.int32, device=query.device)
        ranked[ordered.indices] = torch.arange(need.numel(), dtype=torch.int32, device=query.device)
        by_place = ranked.view(2, length, heads).transpose(1, 2)
        vertical_rank = torch.empty_like(by_place[0]).scatter_(1, vertical_order, by_place[0])
        slash_rank = torch.empty_like(by_place[1]).scatter_(1, slash_order, by_place[1])
        if self.alpha is not None:
            covering = (need < floor + self.alpha).sum()
            return LineSelection(vertical_rank < covering, slash_rank < covering, self.block)
        budget = int(self.kept * heads * (length * (length + 1) // 2))

        def fit(slashes: Tensor, columns: Tensor) -> Tensor:
            crossing, listed = (
                (rank < bound.view(-1, 1, 1)).expand(at_once, -1, -1).flatten(0, 1)
                for rank, bound in ((slash_rank, slashes), (vertical_rank, columns))
            )
            return line_pairs(crossing, listed, self.block).view(at_once, heads).sum(dim=1) <= budget

        none, every = torch.zeros((), dtype=torch.int64, device=query.device), need.numel()
        at_once = _tried_at_once(need)
        lines = largest_that_fits(lambda number: fit(number, number), none, every, at_once=at_once)
        lines = lines.maximum((need < 0).sum())
        columns = largest_that_fits(lambda number: fit(lines, number.maximum(lines)), none, every, at_once=at_once)
        columns = columns.maximum(lines)
        # Lines are taken whose coverage ahead is under alpha: the largest alpha is that of the first not taken.
        ahead = torch.cat([ordered.values, need.new_full((1,), floor + 1.0)])
        found = {"alpha": (ahead[lines] - floor).clamp(min=0.0)}
        return LineSelection(vertical_rank < columns, slash_rank < lines, self.block, found)


def _tried_at_once(need: Tensor) -> int:
    """Budgets that a pass tries: over few lines on a GPU, a pass takes as long as its launches."""
    return 16 if need.is_cuda and need.numel() <= _FEW_LINES else 1


def _places(scores: Tensor, forced: int, floor: int) -> tuple[Tensor, Tensor]:
    """The lines of each head in the order in which they are taken, and what must be granted until each is.

    Up to `floor`, the place itself; from there on, `floor` plus the coverage that the places ahead have on their own,
    without the forced lines; below zero for forced lines, which take the first places.
    """
    import torch
    from sparsetol_kernels.coverage import coverage_before

    first = scores.clone()
    first[:, :forced] = float("inf")
    order = torch.sort(first, dim=-1, descending=True, stable=True).indices
    place = torch.arange(scores.shape[1], dtype=torch.float64, device=scores.device)
    need = place.where(place < floor, floor + coverage_before(scores))
    return order, need.where(place >= forced, -1.0)


__all__ = ["FlexPrefill"]
