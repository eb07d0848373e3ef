"""Quest for a whole batch at once: page bounds that grow with the cache, kernels for selection and attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sparsetol_kernels.attention import Scoring
from sparsetol_kernels.page_bounds import update_page_bounds
from sparsetol_kernels.quest_select import quest_select
from sparsetol_kernels.sparse_decode import sparse_decode_attention
from torch import Tensor

from pytest_sparsetol.engine.meter import Meter
from pytest_sparsetol.methods.quest import Quest


@dataclass
class QuestPages:
    """Page bounds of one layer of a batch.

    Attributes:
        low: minimum of each page's keys, `[batch, key heads, pages, head size]`, room for all that may come.
        high: maximum, likewise.
        bounded: tokens of the cache, padding included, that the bounds cover.

    """

    low: Tensor
    high: Tensor
    bounded: int = 0

    @classmethod
    def empty(cls, key: Tensor, longest: int, page_size: int) -> QuestPages:
        """Room for `longest` tokens a sequence."""
        batch, heads, length, size = key.shape
        shape = (batch, heads, -(-max(longest, length) // page_size), size)
        return cls(key.new_empty(shape), key.new_empty(shape))

    def attend(
        self, method: Quest, query: Tensor, key: Tensor, value: Tensor, starts: list[int], scoring: Scoring
    ) -> Tensor:
        """Attention of one new token of each sequence: `[batch, query heads, value size]`.

        Args:
            method: its page size and budget.
            query: `[batch, query heads, head size]`.
            key: `[batch, key heads, length, head size]`, the new token last.
            value: `[batch, key heads, length, value size]`.
            starts: position of each sequence's first real token.
            scoring: scale, window, soft-cap and sinks.

        """
        length = key.shape[2]
        budgets = [method.earlier_pages(length - start) for start in starts]
        numbers = torch.tensor([starts, [length - start for start in starts], budgets], dtype=torch.int32)
        first, tokens, budget = numbers.to(key.device, non_blocking=True)
        if length != self.bounded + 1:
            update_page_bounds(self.low, self.high, key, first, tokens, length, method.page_size)
        self.bounded = length
        pages, count = quest_select(
            query, key, self.low, self.high, budget, first, tokens, page_size=method.page_size, most=max(budgets) + 1
        )
        out, _ = sparse_decode_attention(
            query, key, value, pages, count, page_size=method.page_size, starts=first, lengths=tokens,
            scale=scoring.scale, window=scoring.window, softcap=scoring.softcap, sinks=scoring.sinks,
        )  # fmt: skip
        return out


def count_step(meter: Meter, method: Quest, length: int, heads: int) -> None:
    """What one step of one sequence of `length` tokens attended and loaded, for each key head."""
    earlier = (length - 1) // method.page_size
    tokens = method.earlier_pages(length) * method.page_size + length - earlier * method.page_size
    share = torch.ones(heads, dtype=torch.float64)
    meter.count("decode", share * tokens / length, share * (tokens + earlier) / length)
