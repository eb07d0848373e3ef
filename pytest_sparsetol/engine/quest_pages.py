"""Quest for a whole batch at once: page bounds that grow with the cache, kernels for selection and attention."""

from __future__ import annotations

from dataclasses import dataclass

from sparsetol_kernels.attention import Scoring
from sparsetol_kernels.page_bounds import update_page_bounds
from sparsetol_kernels.quest_select import quest_select
from sparsetol_kernels.sparse_decode import sparse_decode_attention
from torch import Tensor

from pytest_sparsetol.engine.device import on_device
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
        first, tokens, budget = on_device(key.device, tuple(starts), tuple(lengths), tuple(budgets))
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


def count_step(meter: Meter, method: Quest, length: int, heads: int) -> None:
    """What one step of one sequence of `length` tokens attended and loaded, for each key head."""
    earlier = (length - 1) // method.page_size
    tokens = method.earlier_pages(length) * method.page_size + length - earlier * method.page_size
    meter.count_alike("decode", tokens / length, (tokens + earlier) / length, heads)
