"""What a sparse method selected, and how much of the dense work that is.

*Attended* counts query-key pairs (prefill) or tokens (decode) that enter the softmax: what quality depends on.
*Loaded* counts what is read to compute them, whole tiles and selection data included: what time depends on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


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

    """

    keys: Tensor
    block: int

    def attended(self) -> Tensor:
        """Share of causal pairs attended, per query head: float64 `[query heads]`."""
        length = self.keys.shape[2]
        pairs = (self.keys * causal_weights(length, self.block, self.keys.device)).sum(dim=(1, 2))
        return pairs.double() / (length * (length + 1) // 2)

    def loaded(self) -> Tensor:
        """Share of causal pairs computed when a block's every row meets its keys: float64 `[query heads]`."""
        length = self.keys.shape[2]
        pairs = self.keys.sum(dim=(1, 2)) * self.block
        return pairs.double() / (length * (length + 1) // 2)


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
