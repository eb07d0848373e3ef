"""The shared matrix: shapes, batches, lengths and sparsities that methods are tested on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """One sequence of one layer.

    Attributes:
        length: tokens.
        key_heads: heads of keys and values.
        group: query heads that share a key head.
        head_size: channels of a head.
        dtype: of queries, keys and values.

    """

    length: int
    key_heads: int = 1
    group: int = 2
    head_size: int = 64
    dtype: torch.dtype = torch.float32

    def __str__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{self.length}-{self.key_heads * self.group}q{self.key_heads}k-{self.head_size}-{dtype}"

    @property
    def scale(self) -> float:
        """Factor on query-key products."""
        return float(self.head_size**-0.5)

    @property
    def tolerance(self) -> float:
        """How far outputs may lie from float64's, absolutely: values are of the order of 1."""
        return 1e-5 if self.dtype == torch.float32 else 2e-2

    def at(self, length: int) -> Case:
        """The same heads, another length."""
        return replace(self, length=length)

    def tensors(self, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Queries `[query heads, length, head size]`, keys and values `[key heads, length, head size]`.

        Attention is scattered in the first query head of each group and concentrated in the last.
        """
        generator = torch.Generator().manual_seed(seed)
        sharpness = torch.linspace(0.5, 3.0, self.group).repeat(self.key_heads)[:, None, None]
        heads = self.key_heads * self.group
        query = sharpness * torch.randn(heads, self.length, self.head_size, generator=generator)
        key = torch.randn(self.key_heads, self.length, self.head_size, generator=generator)
        value = torch.randn(self.key_heads, self.length, self.head_size, generator=generator)
        return query.to(self.dtype), key.to(self.dtype), value.to(self.dtype)


CASES = (
    Case(1, 2, 1, 64),
    Case(1, 1, 8, 128, torch.bfloat16),
    Case(63, 1, 3, 64, torch.bfloat16),
    Case(63, 2, 4, 128),
    Case(1000, 2, 1, 128, torch.bfloat16),
    Case(1000, 1, 3, 64),
    Case(1000, 2, 4, 64, torch.bfloat16),
    Case(1000, 1, 8, 128),
    Case(4097, 1, 3, 128),
    Case(4097, 1, 4, 64, torch.bfloat16),
)
"""Every length with both dtypes and head sizes, every grouping (1, 3, 4 and 8 query heads a key head) at 1,000."""

BATCHES = ((63,), (1, 63), (63, 1, 40), (300, 1, 63, 299))
"""Prompts of one batch, which are padded on the left to the longest."""

LENGTHS = (1024, 2048, 4096)
"""Prompts on which measured sparsity is held against the declared one."""

LEVELS = (0.5, 0.67, 0.8, 0.9, 0.95)
"""Declared sparsities."""
