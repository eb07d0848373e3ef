"""Sliding window: in prefill, attend the first and the most recent tokens, whatever the prompt says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import PrefillMethod
from pytest_sparsetol.methods.block_sparse import TOLERANCE, block_at

if TYPE_CHECKING:
    from sparsetol_kernels.selection import LineSelection
    from torch import Tensor


@dataclass(frozen=True)
class SlidingWindow(PrefillMethod):
    """The naive control: attention sinks and a local window, with no regard to content.

    A suite on which this does as well as dense attention cannot show what selection is good for.

    Source: Xiao et al. 2023 (StreamingLLM), arXiv 2309.17453, applied to the prompt: 4 sinks and a window.

    Definition: each block of `block` query rows attends the first `sinks` tokens, the `window` tokens before its first
    row, and its own tokens causally. Every head of every layer is alike.

    Always kept: the sinks and each query block itself.

    Budget: `window` is solved from `1 - sparsity` of the causal pairs at each length, to the nearest token: off by at
    most half a token a row. Where that is more than 0.01 (prompts of a few dozen tokens) the deployment is refused. It
    may be given in place of a sparsity.

    Loaded: `block` rows for each selected key of a row block.

    Cost of selection: none; it reads neither queries nor keys.

    Departures: the original's window moves with each token, so that all queries see as many; here it moves with the
    query block, and a block's last row sees `block` - 1 tokens more than its first. Tokens keep their positions in the
    prompt, where the original counts positions inside the cache. `block: null` means 16 below 8192 tokens and 128 from
    there on.
    """

    name: ClassVar[str] = "sliding_window"

    sinks: int = 4
    block: int | None = None
    window: int | None = None
    explicit: ClassVar[tuple[str, ...]] = ("window",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sinks < 0:
            raise MethodError(f"sinks {self.sinks} must be at least 0")
        if self.block is not None and self.block < 1:
            raise MethodError(f"block {self.block} must be at least 1 token")

    def size(self, length: int) -> int:
        """Query rows in a block at `length` tokens."""
        return block_at(length) if self.block is None else self.block

    def reach(self, length: int) -> float:
        """What the sinks and each block's own tokens leave."""
        return max(0.0, self._held(length, 0))

    def check(self, length: int) -> None:
        """Raise `MethodError` where the sparsity is out of reach, tokens are too coarse, or none is left out."""
        super().check(length)
        held = self._held(length, self.window_at(length))
        if self.sparsity is None:
            if held <= 0:
                raise MethodError(f"window {self.window}: {self.name} would attend all of {length} tokens")
        elif abs(held - self.sparsity) > TOLERANCE:
            raise MethodError(
                f"{self.name} cannot hold sparsity {self.sparsity:g} at {length} tokens: with a window of whole tokens "
                f"the nearest is {held:.3f}"
            )

    def window_at(self, length: int) -> int:
        """Tokens before each query block that it attends: given, or such that the sparsity is held."""
        if self.window is not None:
            return self.window
        return _solved_window(length, self.size(length), self.sinks, self.sparsity or 0.0)

    def settings(self, length: int) -> dict[str, object]:
        """With the block and the window at `length` tokens."""
        return super().settings(length) | {"block": self.size(length), "window": self.window_at(length)}

    def _held(self, length: int, window: int) -> float:
        return 1 - _pairs(length, self.size(length), self.sinks, window) / (length * (length + 1) // 2)

    def select(self, query: Tensor, key: Tensor, scale: float) -> LineSelection:  # noqa: ARG002  # no softmax here
        """The sinks, the window and the block's own tokens of each row block."""
        import torch
        from sparsetol_kernels.selection import LineSelection

        heads, length = query.shape[0], key.shape[1]
        position = torch.arange(length, device=key.device)
        # A diagonal brings a block's own keys, or as many earlier ones, so that those up to the window bring all of it.
        columns, slashes = position < self.sinks, position <= self.window_at(length)
        return LineSelection(columns.expand(heads, -1), slashes.expand(heads, -1), self.size(length))


@lru_cache(maxsize=256)
def _solved_window(length: int, block: int, sinks: int, sparsity: float) -> int:
    budget = (1 - sparsity) * (length * (length + 1) // 2)
    low, high = 0, length
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _pairs(length, block, sinks, middle) <= budget else (low, middle - 1)
    return min((low, low + 1), key=lambda window: abs(_pairs(length, block, sinks, window) - budget))


def _pairs(length: int, block: int, sinks: int, window: int) -> int:
    """Causal pairs attended."""
    pairs = 0
    for start in range(0, length, block):
        rows = min(block, length - start)
        recent = min(window, start)
        pairs += rows * (rows + 1) // 2 + rows * (recent + min(sinks, start - recent))
    return pairs


__all__ = ["SlidingWindow"]
