"""What a sparse method selected, and how much of the dense work that is.

*Attended* counts query-key pairs (prefill) or tokens (decode) that enter the softmax: what quality depends on.
*Loaded* counts what is read to compute them, whole tiles and selection data included: what time depends on.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sparsetol_kernels.lines import attended_and_loaded, crossed


def causal_weights(length: int, block: int, device: torch.device) -> Tensor:
    """Causal pairs between each row block and each key: int64 `[row blocks, length]`."""
    start = torch.arange(0, length, block, device=device)[:, None]
    end = (start + block).clamp(max=length)
    key = torch.arange(length, device=device)[None, :]
    return (end - torch.maximum(start, key)).clamp(min=0)


@dataclass(frozen=True)
class KeySelection:
    """Keys that each block of query rows attends, per query head, causal inside the block.

    Attributes:
        keys: bool `[query heads, row blocks, length]`; a key after the block's last row is never set.
        block: query rows in a row block.
        found: parameters that the declared sparsity came to on this input, such as a coverage: float64, one or more
            values each.

    """

    keys: Tensor
    block: int
    found: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Tokens of the prompt."""
        return self.keys.shape[2]

    def at(self, first: int, tokens: Tensor) -> Tensor:
        """Whether row blocks from `first` on attend these keys: bool `[query heads, row blocks, tokens]`."""
        return self.keys[:, first:, tokens]

    def attended(self) -> Tensor:
        """Share of causal pairs attended, per query head: float64 `[query heads]`."""
        pairs = (self.keys * causal_weights(self.length, self.block, self.keys.device)).sum(dim=(1, 2))
        return pairs.double() / (self.length * (self.length + 1) // 2)

    def loaded(self) -> Tensor:
        """Share of causal pairs computed when a block's every row meets its keys: float64 `[query heads]`."""
        pairs = self.keys.sum(dim=(1, 2)) * self.block
        return pairs.double() / (self.length * (self.length + 1) // 2)


@dataclass(frozen=True)
class BlockSelection:
    """Whole key blocks that each block of query rows attends, per query head, causal inside its own block.

    Attributes:
        index: int32 `[lists, row blocks, most]`, strictly ascending, at most the row block itself; entries from the
            count on are never read. One list for each query head, or one for each key head.
        count: int32 `[lists, row blocks]`.
        block: tokens in a block, of rows and of keys.
        length: tokens of the prompt.
        group: query heads that share a list, one after the other.
        found: as of `KeySelection`.

    """

    index: Tensor
    count: Tensor
    block: int
    length: int
    group: int = 1
    found: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def keys(self) -> Tensor:
        """The same as `KeySelection.keys`, made anew at each call."""
        return self.at(0, torch.arange(self.length, device=self.index.device))

    def at(self, first: int, tokens: Tensor) -> Tensor:
        """As of `KeySelection`, without the keys in between."""
        index, (lists, rows, most) = self.index[:, first:], self.index.shape
        real = torch.arange(most, device=index.device) < self.count[:, first:, None]
        chosen = torch.zeros(lists, rows - first, rows + 1, dtype=torch.bool, device=index.device)
        chosen.scatter_(2, index.where(real, rows).long(), value=True)
        return chosen[..., tokens // self.block].repeat_interleave(self.group, dim=0)

    def attended(self) -> Tensor:
        """Share of causal pairs attended, per query head: float64 `[query heads]`."""
        own, earlier, rows = self._counted()
        return self._share(earlier * rows * self.block + own * rows * (rows + 1) // 2)

    def loaded(self) -> Tensor:
        """Share of causal pairs computed when a block's every row meets its keys: float64 `[query heads]`."""
        own, earlier, rows = self._counted()
        return self._share((earlier * self.block + own * rows) * self.block)

    def _counted(self) -> tuple[Tensor, Tensor, Tensor]:
        """Whether each list ends in its own block, how many earlier ones it holds, and the row block's rows."""
        number = torch.arange(self.count.shape[1], device=self.count.device)
        last = self.index.gather(2, (self.count[..., None] - 1).clamp(min=0).long()).squeeze(-1)
        own = ((last == number) & (self.count > 0)).long()
        return own, self.count - own, (self.length - number * self.block).clamp(max=self.block)

    def _share(self, pairs: Tensor) -> Tensor:
        shares = pairs.sum(dim=1).double() / (self.length * (self.length + 1) // 2)
        return shares.repeat_interleave(self.group)


@dataclass(frozen=True)
class LineSelection:
    """Columns and diagonals of the attention matrix, per query head, as `lines` says what they bring.

    Attributes:
        columns: bool `[query heads, length]`, by key.
        slashes: bool `[query heads, length]`, by offset (query position - key position).
        block: query rows in a row block.
        found: as of `KeySelection`.

    """

    columns: Tensor
    slashes: Tensor
    block: int
    found: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Tokens of the prompt."""
        return self.columns.shape[1]

    @property
    def keys(self) -> Tensor:
        """The same as `KeySelection.keys`, made anew at each call."""
        return self.at(0, torch.arange(self.length, device=self.columns.device))

    def at(self, first: int, tokens: Tensor) -> Tensor:
        """As of `KeySelection`, without the keys in between."""
        start = torch.arange(first * self.block, self.length, self.block, device=self.columns.device)
        before = start[:, None] - tokens + self.block - 1
        met = crossed(self.slashes, self.block)[:, before.clamp(min=0)]
        return (met | self.columns[:, None, tokens]) & (before >= 0)

    def attended(self) -> Tensor:
        """Share of causal pairs attended, per query head: float64 `[query heads]`."""
        return self._shares[0]

    def loaded(self) -> Tensor:
        """Share of causal pairs computed when a block's every row meets its keys: float64 `[query heads]`."""
        return self._shares[1]

    @functools.cached_property
    def _shares(self) -> tuple[Tensor, Tensor]:
        pairs = self.length * (self.length + 1) // 2
        attended, loaded = attended_and_loaded(self.slashes, self.columns, self.block)
        return attended.double() / pairs, loaded.double() / pairs


PrefillSelection = KeySelection | BlockSelection | LineSelection


@dataclass(frozen=True)
class TokenSelection:
    """Cached tokens that one new token attends, per key head.

    Attributes:
        tokens: int64 `[key heads, most]`, ascending; entries from `count` on are padding and never read.
        count: int64 `[key heads]`, how many entries of each row count.
        loaded: tokens' worth of cache read, selection data included: float64 `[key heads]`.

    """

    tokens: Tensor
    count: Tensor
    loaded: Tensor

    @classmethod
    def even(cls, tokens: Tensor, loaded: float) -> TokenSelection:
        """A selection of as many tokens for every head."""
        heads, most = tokens.shape
        return cls(
            tokens,
            torch.full((heads,), most, device=tokens.device),
            torch.full((heads,), loaded, dtype=torch.float64, device=tokens.device),
        )
