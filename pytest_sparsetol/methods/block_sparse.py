"""Block-Sparse: in prefill, attend the blocks of keys whose mean fits the mean of a block of queries best."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import PrefillMethod

if TYPE_CHECKING:
    import torch
    from sparsetol_kernels.selection import BlockSelection
    from torch import Tensor

Lists = Literal["query_head", "key_head"]

FORCED = 3
"""Blocks that a block of queries always attends: the first, its own, and the one before its own."""

TOLERANCE = 0.01
"""How far the sparsity that whole blocks allow may lie from the declared one."""


def block_at(length: int) -> int:
    """The block size that a prompt of `length` tokens gets where none is named."""
    return 16 if length < 8192 else 128


@dataclass(frozen=True)
class BlockSparse(PrefillMethod):
    """Square blocks of the attention matrix, chosen for each query head and each block of query rows.

    Source: the block-sparse heads of Jiang et al. 2024 (MInference), arXiv 2407.02490, as configured in The Sparse
    Frontier, arXiv 2504.17768: all heads alike, blocks of 16 tokens, as many blocks for every query block.

    Definition: queries and keys (after rotary embedding) are averaged over each block of `block` tokens, and the score
    of a pair of blocks is the product of its two means, `[query heads, blocks, blocks]`. Each query block attends the
    k best of the key blocks up to its own. Causality holds inside the diagonal block. With `lists: key_head`, the query
    heads of a key head attend the same blocks: those whose scores are best on average over them.

    Always kept: block 0, the diagonal block and the one before it, as part of the k.

    Budget: k follows from `1 - sparsity` of the causal pairs. As whole numbers are too coarse, query blocks spread
    evenly over the prompt take one block more. The budget is the same for every head, layer and prompt, and known from
    the length alone; what it misses is at most half a block in the whole matrix. Where that is more than 0.01 (large
    blocks on short prompts) the deployment is refused. `blocks` in place of a sparsity is the paper's k itself, the
    forced blocks included.

    Loaded: whole blocks, the non-causal half of the diagonal ones included.

    Cost of selection: two means over the prompt, `(L / block)^2` products and a sort of L / block scores for each query
    block: 1 / block^2 of the dense products. With `lists: key_head`, that for each key head.

    Departures: the paper's k is a whole number, and its sparsity counts blocks; here pairs are counted, of which a
    diagonal block has about half. `block: null` means 16 below 8192 tokens and 128 from there on, where the paper has
    16 throughout. Means and scores are in float32. Ties go to the earlier block. In the paper each query head has its
    own blocks; `lists: key_head` is not in it, and is there because a GPU then loads a block once for all heads of a
    group, which makes blocks of 16 and 32 worth their while.
    """

    name: ClassVar[str] = "block_sparse"

    block: int | None = None
    blocks: int | None = None
    lists: Lists = "query_head"
    explicit: ClassVar[tuple[str, ...]] = ("blocks",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block is not None and self.block < 1:
            raise MethodError(f"block {self.block} must be at least 1 token")
        if self.lists not in get_args(Lists):
            raise MethodError(f"lists {self.lists!r} must be one of {', '.join(get_args(Lists))}")

    def size(self, length: int) -> int:
        """Tokens in a block at `length` tokens."""
        return block_at(length) if self.block is None else self.block

    def reach(self, length: int) -> float:
        """What the forced blocks leave."""
        rows = _rows(length, self.size(length))
        return max(0.0, 1 - _pairs(rows, self.size(length), [FORCED] * len(rows)) / (length * (length + 1) // 2))

    def check(self, length: int) -> None:
        """Raise `MethodError` where the sparsity is out of reach, blocks are too large, or none is left out."""
        super().check(length)
        size = self.size(length)
        held = 1 - _pairs(_rows(length, size), size, self.counts(length)) / (length * (length + 1) // 2)
        if self.sparsity is None:
            if held <= 0:
                raise MethodError(f"blocks {self.blocks}: {self.name} would attend all blocks at {length} tokens")
        elif abs(held - self.sparsity) > TOLERANCE:
            raise MethodError(
                f"{self.name} cannot hold sparsity {self.sparsity:g} at {length} tokens: in whole blocks of {size} "
                f"the nearest is {held:.3f}; declare that or use smaller blocks"
            )

    def counts(self, length: int) -> tuple[int, ...]:
        """Key blocks that each query block attends on a prompt of `length` tokens."""
        size = self.size(length)
        if self.blocks is None:
            return block_counts(length, size, self.sparsity or 0.0)
        return tuple(min(number + 1, max(FORCED, self.blocks)) for number in range(-(-length // size)))

    def settings(self, length: int) -> dict[str, object]:
        """With the block size at `length` tokens, and whose lists where these are not the paper's."""
        lists = None if self.lists == "query_head" else self.lists
        return super().settings(length) | {"block": self.size(length), "lists": lists}

    def scored_pairs(self, length: int) -> float:
        """One product for each pair of blocks; heads that share a list need at most as many."""
        blocks = -(-length // self.size(length))
        return blocks * (blocks + 1) / 2

    def select(self, query: Tensor, key: Tensor, scale: float) -> BlockSelection:  # noqa: ARG002  # no softmax here
        """The forced and the best key blocks of each query block, for each query head or each key head."""
        from sparsetol_kernels.block_selection import select_blocks
        from sparsetol_kernels.selection import BlockSelection

        length = key.shape[1]
        size, counts = self.size(length), self.counts(length)
        shared = self.lists == "key_head"
        index, count = select_blocks(
            query[None], key[None], _counts_on(query.device, counts), max(counts), size, per_key_head=shared
        )
        return BlockSelection(index[0], count[0], size, length, query.shape[0] // key.shape[0] if shared else 1)


@lru_cache(maxsize=64)
def _counts_on(device: torch.device, counts: tuple[int, ...]) -> Tensor:
    """`counts` as int32 on the device, copied once."""
    import torch

    return torch.tensor(counts, dtype=torch.int32, device=device)


@lru_cache(maxsize=256)
def block_counts(length: int, block: int, sparsity: float) -> tuple[int, ...]:
    """Key blocks that each query block attends, so that all together come as near to the sparsity as they can."""
    rows = _rows(length, block)
    budget = (1 - sparsity) * (length * (length + 1) // 2)
    low, high = FORCED, max(FORCED, len(rows))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _pairs(rows, block, [middle] * len(rows)) <= budget else (low, middle - 1)
    counts = [min(number + 1, low) for number in range(len(rows))]
    # The query blocks that have further key blocks before them; the last of them is always the last of the prompt.
    able = len(rows) - low
    missing = budget - _pairs(rows, block, counts)
    costs = [0, *(rows[-1] * block + more * block * block for more in range(able))]
    extra = min(range(len(costs)), key=lambda more: abs(costs[more] - missing))
    for position in range(able):
        counts[low + position] += (position + 1) * extra // able - position * extra // able
    return tuple(counts)


def _rows(length: int, block: int) -> list[int]:
    """Query rows of each block."""
    return [min(block, length - start) for start in range(0, length, block)]


def _pairs(rows: list[int], block: int, counts: list[int] | tuple[int, ...]) -> int:
    """Causal pairs where query block i attends its own block and `counts[i]` - 1 whole ones, or all there are."""
    return sum(
        size * (size + 1) // 2 + size * block * (min(number + 1, count) - 1)
        for number, (size, count) in enumerate(zip(rows, counts, strict=True))
    )


__all__ = ["FORCED", "TOLERANCE", "BlockSparse", "block_at", "block_counts"]
