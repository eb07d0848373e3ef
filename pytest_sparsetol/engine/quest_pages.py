"""Quest for a whole batch at once: page bounds that grow with the cache, kernels for selection and attention."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from sparsetol_kernels.attention import Scoring
from sparsetol_kernels.page_bounds import update_page_bounds
from sparsetol_kernels.quest_select import quest_select
from sparsetol_kernels.selection import TokenSelection
from sparsetol_kernels.sparse_decode import sparse_decode_attention
from torch import Tensor

from pytest_sparsetol.engine.meter import Meter
from pytest_sparsetol.methods.quest import Quest

ROOM = 64
"""Pages beyond the cache at hand, so that bounds are not computed anew at every step."""


@dataclass
class QuestPages:
    """Page bounds of one layer of a batch.

    Attributes:
        low: minimum of each page's keys, `[batch, key heads, pages, head size]`; None at first.
        high: maximum, likewise.
        bounded: tokens of the cache, padding included, that the bounds cover.

    """

    low: Tensor | None = None
    high: Tensor | None = None
    bounded: int = 0

    def attend(
        self, method: Quest, query: Tensor, key: Tensor, value: Tensor, starts: list[int], scoring: Scoring
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attention of one new token of each sequence, and the pages that it reads.

        Args:
            method: its page size and budget.
            query: `[batch, query heads, head size]`.
            key: `[batch, key heads, length, head size]`, the new token last.
            value: `[batch, key heads, length, value size]`.
            starts: position of each sequence's first real token.
            scoring: scale, window, soft-cap and sinks.

        Returns:
            `[batch, query heads, value size]`; int32 `[batch, key heads, most]` and `[batch, key heads]`: ascending
            page numbers, and how many of them count.

        """
        length, page_size = key.shape[2], method.page_size
        lengths = [length - start for start in starts]
        budgets = [method.earlier_pages(tokens) for tokens in lengths]
        first, tokens, budget = _on_device(key.device, tuple(starts), tuple(lengths), tuple(budgets))
        if self.low is None or self.high is None or self.low.shape[2] * page_size < length:
            shape = (*key.shape[:2], -(-length // page_size) + ROOM, key.shape[3])
            self.low, self.high, self.bounded = key.new_empty(shape), key.new_empty(shape), 0
        if length != self.bounded + 1:
            update_page_bounds(self.low, self.high, key, first, tokens, length, page_size)
        self.bounded = length
        pages, count = quest_select(
            query, key, self.low, self.high, budget, first, tokens, page_size=page_size, most=max(budgets) + 1
        )
        out, _ = sparse_decode_attention(
            query, key, value, pages, count, page_size=page_size, starts=first, lengths=tokens,
            scale=scoring.scale, window=scoring.window, softcap=scoring.softcap, sinks=scoring.sinks,
        )  # fmt: skip
        return out, pages, count


@functools.lru_cache(maxsize=4)
def _on_device(device: torch.device, *numbers: tuple[int, ...]) -> Tensor:
    """Numbers of each sequence as int32 on the device, copied once for all layers of a step."""
    return torch.tensor(numbers, dtype=torch.int32).to(device, non_blocking=True)


def tokens_of(pages: Tensor, count: Tensor, page_size: int) -> TokenSelection:
    """Tokens of one sequence's pages; the current page's are all named, those that are still to come too."""
    inside = torch.arange(page_size, device=pages.device)
    tokens = (pages[..., None].long() * page_size + inside).flatten(1)
    return TokenSelection(tokens, count.long() * page_size, loaded=count.double() * page_size)


def count_step(meter: Meter, method: Quest, length: int, heads: int) -> None:
    """What one step of one sequence of `length` tokens attended and loaded, for each key head."""
    earlier = (length - 1) // method.page_size
    tokens = method.earlier_pages(length) * method.page_size + length - earlier * method.page_size
    share = torch.ones(heads, dtype=torch.float64)
    meter.count("decode", share * tokens / length, share * (tokens + earlier) / length)
