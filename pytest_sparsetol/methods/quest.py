"""Quest: at each decoding step, read only the pages of the cache whose keys could score highest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import DecodeMethod

if TYPE_CHECKING:
    from sparsetol_kernels.selection import TokenSelection
    from torch import Tensor


@dataclass
class PageBounds:
    """Channel-wise minimum and maximum of the keys of each full page: `[key heads, pages, head size]`."""

    low: Tensor | None = field(default=None)
    high: Tensor | None = field(default=None)

    def extend(self, key: Tensor, page_size: int) -> None:
        """Take in the pages of `key` `[key heads, length, head size]` that have filled up since the last call."""
        import torch

        known = 0 if self.low is None else self.low.shape[1]
        full = key.shape[1] // page_size
        if full == known:
            return
        fresh = key[:, known * page_size : full * page_size].reshape(key.shape[0], -1, page_size, key.shape[2])
        low, high = fresh.amin(dim=2), fresh.amax(dim=2)
        self.low = low if self.low is None else torch.cat([self.low, low], dim=1)
        self.high = high if self.high is None else torch.cat([self.high, high], dim=1)


@dataclass(frozen=True)
class Quest(DecodeMethod):
    """Query-aware page selection while decoding; the cache stays whole.

    Source: Tang et al. 2024, arXiv 2406.10774, as configured in The Sparse Frontier, arXiv 2504.17768: pages of 16
    tokens, scores summed over the query heads that share a key head, one page set per key head, no sink, no local
    window and no dense first layers.

    Definition: with `low` and `high` the channel-wise bounds of a page's keys, a page scores
    `sum_heads sum_d max(q_d * low_d, q_d * high_d)`. The highest-scoring earlier pages are read, and always the
    current page, which holds the new token.

    Budget: at a step with n cached tokens, `(1 - sparsity) * n` tokens are read, current page and generated tokens
    included, rounded to whole earlier pages: off by at most half a page a step, and less over many steps.
    `token_budget` in place of a sparsity is the paper's: so many tokens of earlier pages at every step, the current
    page on top.

    Loaded: the tokens read, and for every earlier page its two bounds, which are as large as one token's key and value.

    Cost of selection: two products of the query with each page's bounds, one sixteenth of the dense key reads each.

    Departures: the budget follows the cached tokens, where the paper's is fixed by the prompt and leaves the current
    page and generated tokens out of the count; ties go to the earlier page.
    """

    name: ClassVar[str] = "quest"

    page_size: int = 16
    token_budget: int | None = None
    explicit: ClassVar[tuple[str, ...]] = ("token_budget",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.page_size < 1:
            raise MethodError(f"page_size {self.page_size} must be at least 1 token")

    def reach(self, length: int) -> float:
        """At least the current page and one earlier page are read."""
        return max(0.0, 1 - 2 * self.page_size / length)

    def earlier_pages(self, length: int) -> int:
        """Pages read besides the current one, where `length` tokens are cached: at least 1 where there is one."""
        earlier = (length - 1) // self.page_size
        current = length - earlier * self.page_size
        budget = self.kept * length - current if self.token_budget is None else self.token_budget
        return min(earlier, max(1, round(budget / self.page_size)))

    def check(self, length: int) -> None:
        """Raise `MethodError` where the sparsity is out of reach, or where a token budget leaves nothing out."""
        super().check(length)
        if self.token_budget is not None and self.token_budget + self.page_size >= length:
            raise MethodError(f"token_budget {self.token_budget}: {self.name} would read all of {length} tokens")

    def new_state(self) -> PageBounds:
        """No pages yet."""
        return PageBounds()

    def select(self, state: PageBounds, query: Tensor, key: Tensor) -> TokenSelection:
        """Tokens of the chosen pages and of the current page, in ascending order."""
        import torch
        from sparsetol_kernels.quest import quest_page_scores
        from sparsetol_kernels.selection import TokenSelection

        heads, length, _ = key.shape
        state.extend(key, self.page_size)
        earlier = (length - 1) // self.page_size
        current = torch.arange(earlier * self.page_size, length, device=key.device).expand(heads, -1)
        pages = self.earlier_pages(length)
        if pages == 0 or state.low is None or state.high is None:
            return TokenSelection.even(current, loaded=length)
        scores = quest_page_scores(query, state.low[:, :earlier], state.high[:, :earlier])
        best = torch.sort(scores, dim=-1, descending=True, stable=True).indices[:, :pages].sort(dim=-1).values
        inside = torch.arange(self.page_size, device=key.device)
        tokens = torch.cat([(best[..., None] * self.page_size + inside).flatten(1), current], dim=1)
        return TokenSelection.even(tokens, loaded=tokens.shape[1] + earlier)
