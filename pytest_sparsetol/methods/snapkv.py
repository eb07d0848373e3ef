"""SnapKV: once the prompt is read, keep the cached tokens that its last queries attend most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import KvMethod, last_rows
from pytest_sparsetol.methods.scaling import scaled

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SnapKV(KvMethod):
    """The same number of prompt tokens for every key head, chosen at the end of prefill.

    Source: Li et al. 2024, arXiv 2404.14469, as configured in The Sparse Frontier, arXiv 2504.17768: an observation
    window of 256 queries, average pooling over 21 tokens, one token set per key head.

    Definition: the softmax of the last `window` queries is averaged over the query heads that share a key head, summed
    over queries, and averaged over `pool` neighbouring tokens, zeros counted beyond the prompt's ends. Each key head
    keeps the tokens that score highest. Every later query attends the kept tokens and all generated ones.

    Always kept: the first `sinks` and the last `local` tokens.

    Budget: `round((1 - sparsity) * length)` tokens of the prompt for each key head: off by at most half a token.
    The measured sparsity is the share of the prompt's cache entries that were dropped. `capacity` in place of a
    sparsity is that number itself, forced tokens included.

    Loaded: the tokens kept; their selection is not read again.

    Cost of selection: `window` rows of the score matrix and one sort of length L a key head, once.

    Departures: tokens are dropped from what is attended, not from memory: the reference keeps the cache whole, so it
    frees none. `window` and `local` that are not given shrink with prompts under 4096 tokens, to a sixteenth and a
    thirty-second of the prompt, so that 0.9 can be reached there. Scores stay in float32 (there rounded to the cache's
    dtype), without a model's soft-cap or sink logits. Ties go to the earlier token.

    As there, the first answer token comes out of prefill, before anything is dropped, and generated tokens are all
    attended.
    """

    name: ClassVar[str] = "snapkv"

    window: int | None = None
    local: int | None = None
    sinks: int = 4
    pool: int = 21
    capacity: int | None = None
    explicit: ClassVar[tuple[str, ...]] = ("capacity",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for parameter, value, least in (("window", self.window, 1), ("local", self.local, 1), ("sinks", self.sinks, 0)):
            if value is not None and value < least:
                raise MethodError(f"{parameter} {value} must be at least {least}")
        if self.pool < 1 or self.pool % 2 == 0:
            raise MethodError(f"pool {self.pool} must be odd and at least 1: the token itself is in the middle")

    def reach(self, length: int) -> float:
        """What the first and last tokens leave."""
        return 1 - self._forced(length) / length

    def check(self, length: int) -> None:
        """Raise `MethodError` where the sparsity is out of reach, or where a capacity leaves nothing out."""
        super().check(length)
        if self.sparsity is None and self._capacity(length) >= length:
            raise MethodError(f"capacity: {self.name} would keep all of {length} tokens; capacity is {self.capacity}")

    def settings(self, length: int) -> dict[str, object]:
        """With the windows as they are at `length` tokens."""
        return super().settings(length) | {
            "window": self._window(length),
            "local": self._local(length),
            "capacity": self._capacity(length),
        }

    def least_kept(self, length: int) -> int:
        """The same for every key head."""
        return min(length, self._capacity(length))

    def scored_pairs(self, length: int) -> float:
        """The rows of the window."""
        return last_rows(self._window(length), length)

    def select(self, query: Tensor, key: Tensor, scale: float) -> Tensor:
        """Forced tokens, then the best-scoring, as many for each key head."""
        import torch
        from sparsetol_kernels.snapkv import snapkv_scores

        scores = snapkv_scores(query, key, scale, self._window(key.shape[1]), self.pool, "mean")
        order = self._ranked(scores)[:, : self._capacity(key.shape[1])]
        return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, order, value=True)

    def _ranked(self, scores: Tensor) -> Tensor:
        """Tokens of each key head, forced ones first, then best first; `scores` at forced tokens become infinite."""
        import torch

        scores[:, : self.sinks] = float("inf")
        scores[:, max(0, scores.shape[1] - self._local(scores.shape[1])) :] = float("inf")
        return torch.sort(scores, dim=-1, descending=True, stable=True).indices

    def _window(self, length: int) -> int:
        return scaled(256, length) if self.window is None else self.window

    def _local(self, length: int) -> int:
        return scaled(128, length) if self.local is None else self.local

    def _forced(self, length: int) -> int:
        return min(length, self.sinks + self._local(length))

    def _capacity(self, length: int) -> int:
        """Tokens that a key head keeps, on average where heads differ."""
        wanted = round(self.kept * length) if self.capacity is None else self.capacity
        return max(self._forced(length), min(wanted, length))
