"""Vertical-Slash: in prefill, attend the key columns and the diagonals that the last queries attend most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import PrefillMethod, last_rows
from pytest_sparsetol.methods.scaling import scaled

if TYPE_CHECKING:
    from sparsetol_kernels.selection import LineSelection
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
    prompt holds the declared sparsity to within one column. `verticals` and `slashes` in place of a sparsity are the
    paper's numbers of columns and diagonals, the forced ones included; the sparsity then follows from the input.

    Loaded: 64 rows for each selected key of a row block, as the paper counts, the non-causal half of the diagonal
    blocks included.

    Cost of selection: `window` rows of the score matrix, two sorts of length L a head.

    Departures: the paper fixes the number of lines for each length, from statistics collected offline, so that its
    sparsity follows the input; here the sparsity is fixed and the number of lines follows. Scores stay in float32
    (there bfloat16). `local: null` is the paper's 64 from 4,096 tokens on and a sixty-fourth of the prompt below, so
    that 0.9 can be reached at 1,024. Ranges are not widened to multiples of 64 keys once merged. Scores that agree to
    one part in a million tie, as do those under 2 ** -53 (of 256 rows), and ties go to the smaller index.
    """

    name: ClassVar[str] = "vertical_slash"

    window: int = 256
    sinks: int = 4
    local: int | None = None
    verticals: int | None = None
    slashes: int | None = None
    explicit: ClassVar[tuple[str, ...]] = ("verticals", "slashes")
    block: ClassVar[int] = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        for parameter, value, least in (("window", self.window, 1), ("sinks", self.sinks, 0), ("local", self.local, 1)):
            if value is not None and value < least:
                raise MethodError(f"{parameter} {value} must be at least {least}")

    def local_at(self, length: int) -> int:
        """Diagonals that are always kept at `length` tokens."""
        return scaled(64, length) if self.local is None else self.local

    def settings(self, length: int) -> dict[str, object]:
        """With the diagonals that are always kept at `length` tokens."""
        return super().settings(length) | {"local": self.local_at(length)}

    def reach(self, length: int) -> float:
        """What the sinks and the local diagonals leave."""
        kept, local = 0, self.local_at(length)
        for start in range(0, length, self.block):
            rows = min(self.block, length - start)
            first = max(0, start - local + 1)
            kept += rows * (start - first) + rows * (rows + 1) // 2 + rows * min(self.sinks, first)
        return max(0.0, 1 - kept / (length * (length + 1) // 2))

    def scored_pairs(self, length: int) -> float:
        """The rows of the window."""
        return last_rows(self.window, length)

    def select(self, query: Tensor, key: Tensor, scale: float) -> LineSelection:
        """Columns and diagonals of each head, filled to the declared sparsity."""
        from sparsetol_kernels.line_budget import lines_that_fit
        from sparsetol_kernels.line_ranks import line_ranks
        from sparsetol_kernels.selection import LineSelection
        from sparsetol_kernels.vertical_slash import vertical_slash_scores

        length = key.shape[1]
        scores = vertical_slash_scores(query, key, scale, self.window)
        forced = (self.sinks, self.local_at(length))
        vertical_rank, slash_rank = line_ranks(*scores, forced, min(self.window, length))
        if self.verticals is not None and self.slashes is not None:
            # The forced lines are all of rank 0, the others follow from rank 1 on.
            last = max(0, self.verticals - forced[0]), max(0, self.slashes - forced[1])
            return LineSelection(vertical_rank <= last[0], slash_rank <= last[1], self.block)
        budget = int(self.kept * (length * (length + 1) // 2))

        lines, columns = lines_that_fit(vertical_rank, slash_rank, budget, self.block)
        across, along = vertical_rank < columns[:, None], slash_rank < lines[:, None]
        # Rank 0 is that of all forced lines, every later one of a single line.
        verticals, slashes = (
            (number + min(first, length) - 1).clamp(max=length).double()
            for number, first in zip((columns, lines), forced, strict=True)
        )
        return LineSelection(across, along, self.block, {"verticals": verticals, "slashes": slashes})
