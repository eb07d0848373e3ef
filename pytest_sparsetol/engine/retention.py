"""What a kv method left of a prompt, and decoding over it.

The cache itself stays whole, so that positions stay right; dropped tokens are never read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from sparsetol_kernels.selection import TokenSelection
from torch import Tensor

from pytest_sparsetol.methods.base import DecodeMethod

ROOM = 512
"""Generated tokens that a table of a prompt's and later tokens is made for at a time."""


@dataclass(frozen=True)
class Retained:
    """Tokens of one prompt that one layer keeps.

    Attributes:
        tokens: int64 `[key heads, most]`, ascending; entries from `count` on are padding.
        count: int64 `[key heads]`, how many entries of each row count.
        prompt: the prompt's tokens; every token after them is kept.

    """

    tokens: Tensor
    count: Tensor
    prompt: int
    _tables: dict[int, Tensor] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, kept: Tensor) -> Retained:
        """From bool `[key heads, prompt]`."""
        count = kept.sum(dim=1)
        # Kept tokens first, in order.
        order = torch.sort(kept.byte(), dim=-1, descending=True, stable=True).indices
        # A copy, as a part would keep all of the order.
        return cls(order[:, : int(count.max())].clone(), count, kept.shape[1])

    def cached(self, length: int) -> TokenSelection:
        """All that is left of a cache of `length` tokens: what the prompt kept, then every generated token."""
        fresh = length - self.prompt
        # Later tokens follow the kept ones at the same places whatever the length, so that one table serves many steps.
        room = -(-fresh // ROOM) * ROOM
        if room not in self._tables:
            self._tables.clear()
            self._tables[room] = self.table(room)
        count = self.count + fresh
        return TokenSelection(self._tables[room][:, : self.tokens.shape[1] + fresh], count, loaded=count.double())

    def table(self, fresh: int) -> Tensor:
        """Kept tokens of each key head and the `fresh` ones after the prompt: int64 `[key heads, most + fresh]`."""
        place = torch.arange(self.tokens.shape[1] + fresh, device=self.tokens.device)
        kept = torch.nn.functional.pad(self.tokens, (0, fresh))
        return kept.where(place < self.count[:, None], self.prompt + place - self.count[:, None])


@dataclass
class RetainedBatch:
    """What one layer keeps of each prompt of a batch, as lists for the decode kernel."""

    prompts: Sequence[Retained]
    _count: Tensor = field(init=False)
    _table: Tensor | None = None

    def __post_init__(self) -> None:
        self._count = torch.stack([kept.count for kept in self.prompts]).int()

    def lists(self, fresh: int) -> tuple[Tensor, Tensor]:
        """Tokens that are left of each sequence's cache, when `fresh` tokens have followed its prompt.

        int32 `[batch, key heads, most]`, entries from the count on are padding; int32 `[batch, key heads]`.
        """
        most = max(kept.tokens.shape[1] for kept in self.prompts)
        if self._table is None or self._table.shape[2] < most + fresh:
            room = -(-fresh // ROOM) * ROOM
            self._table = self._count.new_zeros(*self._count.shape, most + room)
            for row, kept in zip(self._table, self.prompts, strict=True):
                table = kept.table(room)
                row[:, : table.shape[1]] = table
        return self._table[:, :, : most + fresh], self._count + fresh


def select_within(
    left: TokenSelection, method: DecodeMethod, states: list[Any], query: Tensor, key: Tensor
) -> TokenSelection:
    """What `method` chooses where a cache holds only the tokens of `left`.

    Key heads may hold different numbers of tokens, so that each is a cache of its own to the method.

    Args:
        left: tokens that the cache still holds, of which only later ones were added since the last call.
        method: the decode method.
        states: one state for each key head, brought up to date here.
        query: `[query heads, head size]` of the new token.
        key: `[key heads, length, head size]`, the whole cache.

    """
    chosen, loaded = [], []
    for head, queries in enumerate(query.view(key.shape[0], -1, query.shape[1])):
        tokens = left.tokens[head, : left.count[head]]
        selection = method.select(states[head], queries, key[head, tokens][None])
        chosen.append(tokens[selection.tokens[0, : selection.count[0]]])
        loaded.append(selection.loaded)
    return TokenSelection(
        torch.nn.utils.rnn.pad_sequence(chosen, batch_first=True),
        torch.tensor([len(tokens) for tokens in chosen], device=key.device),
        torch.cat(loaded),
    )
