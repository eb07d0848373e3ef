"""Ada-SnapKV: SnapKV whose key heads share one budget and take from it what their scores claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.snapkv import SnapKV

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class AdaSnapKV(SnapKV):
    """As many prompt tokens for every layer, split unevenly between its key heads, chosen at the end of prefill.

    Source: Feng et al. 2024 (Ada-KV), arXiv 2407.11550, as configured in The Sparse Frontier, arXiv 2504.17768: the
    windows of SnapKV there, and a fifth of an even share for every key head.

    Definition: a token's score is the largest softmax weight that any of the last `window` queries of any query head
    of the key head pays it, averaged over `pool` neighbouring tokens, zeros counted beyond the prompt's ends. With
    `capacity = round((1 - sparsity) * length)`, each key head first keeps its best `max(share * capacity, sinks +
    local)`; what is left of capacity times key heads goes to the best remaining tokens of all key heads together.

    Always kept: the first `sinks` and the last `local` tokens of every key head.

    Budget: exactly capacity times key heads in every layer; nothing moves between layers.

    Loaded: the tokens kept, which differ from head to head.

    Cost of selection: SnapKV's, and one sort over all key heads, once.

    Departures: those of SnapKV. There the budget is shared among the key heads of one tensor-parallel rank, here
    among all of a layer, as there on one rank. Ties go to the earlier head, then to the earlier token.
    """

    name: ClassVar[str] = "ada_snapkv"

    share: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.share <= 1:
            raise MethodError(f"share {self.share} must be 0 to 1: the part of an even budget that every head gets")

    def least_kept(self, length: int) -> int:
        """What every key head keeps before the rest is shared."""
        return max(self._forced(length), int(self.share * self._capacity(length)))

    def select(self, query: Tensor, key: Tensor, scale: float) -> Tensor:
        """Each head's own best, then the best of all heads."""
        import torch
        from sparsetol_kernels.snapkv import snapkv_scores

        heads, length, _ = key.shape
        scores = snapkv_scores(query, key, scale, self._window(length), self.pool, "max")
        own = self.least_kept(length)
        kept = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, self._ranked(scores)[:, :own], value=True)
        rest = scores.masked_fill(kept, float("-inf")).flatten()
        best = torch.sort(rest, descending=True, stable=True).indices[: heads * (self._capacity(length) - own)]
        return kept.flatten().index_fill(0, best, value=True).view(heads, length)
