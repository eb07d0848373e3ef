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

    Cost of selection: that of Vertical-Slash, and the coverage of all lines of a layer.

    Departures: the paper fixes alpha and min_budget for each length and measures the sparsity that follows, for each
    prompt and layer; here the sparsity is fixed, for each prompt and layer, and alpha follows. So no layer has more
    than another, which the paper's alpha allows. `min_budget: null` means 1/32 of the prompt, at most 512: the paper's
    512 at its shortest length, 16k; at 1k, 512 lines would be half the prompt. `local: null` is the paper's 64 from
    4,096 tokens on and a sixty-fourth of the prompt below. Coverage counts in steps of 2 ** -24
    or a little more (`covering_ranks`); at the same step columns go first, then heads in order.
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
        from sparsetol_kernels.covering_ranks import covering_ranks
        from sparsetol_kernels.layer_budget import layer_lines_that_fit
        from sparsetol_kernels.selection import LineSelection
        from sparsetol_kernels.vertical_slash import vertical_slash_scores

        heads, length, _ = query.shape
        scores = vertical_slash_scores(query, key, scale, self.window)
        forced = (self.sinks, self._lines().local_at(length))
        ranks = covering_ranks(*scores, forced, self.floor(length), min(self.window, length))
        if self.alpha is not None:
            covering = ranks.covering(self.alpha)
            return LineSelection(ranks.columns < covering, ranks.slashes < covering, self.block)
        budget = int(self.kept * heads * (length * (length + 1) // 2))
        lines, columns = layer_lines_that_fit(ranks.columns, ranks.slashes, budget, ranks.most, self.block)
        # Lines are taken whose coverage ahead is under alpha: the largest alpha is that of the first not taken.
        found = {"alpha": ranks.covered(lines)}
        return LineSelection(ranks.columns < columns, ranks.slashes < lines, self.block, found)


__all__ = ["FlexPrefill"]
