"""What a method is to the engine: parameters, a reachable range, and a selection rule for its phase.

Methods are frozen dataclasses, so that contracts can name, check and plan them without torch; the rules themselves
import torch when they are called. A prefill or kv rule sees one unpadded sequence of one layer, a decode rule one new
token.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pytest_sparsetol.errors import MethodError

if TYPE_CHECKING:
    from sparsetol_kernels.selection import PrefillSelection, TokenSelection
    from torch import Tensor

Phase = Literal["prefill", "kv", "decode"]
PHASES: tuple[Phase, ...] = ("prefill", "kv", "decode")


@dataclass(frozen=True)
class Method(ABC):
    """A method with its parameters. `sparsity` is the declared share of pairs or tokens that is not attended."""

    name: ClassVar[str]
    phase: ClassVar[Phase]

    sparsity: float

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise MethodError(f"sparsity {self.sparsity} must be at least 0 and under 1; 0.95 keeps a twentieth")

    @abstractmethod
    def reach(self, length: int) -> float:
        """Largest sparsity that this method can hold on prompts of `length` tokens, given what it always keeps."""

    def check(self, length: int) -> None:
        """Raise `MethodError` where the declared sparsity is out of reach at `length` tokens."""
        largest = self.reach(length)
        if self.sparsity > largest:
            raise MethodError(
                f"{self.name} cannot reach sparsity {self.sparsity:g} at {length} tokens: what it always keeps "
                f"leaves at most {largest:.2f} (reachable: 0 to {largest:.2f})"
            )


@dataclass(frozen=True)
class PrefillMethod(Method):
    """Selects, for each query head and block of query rows, the keys that a prompt's queries attend."""

    phase: ClassVar[Phase] = "prefill"

    @abstractmethod
    def select(self, query: Tensor, key: Tensor, scale: float) -> PrefillSelection:
        """Keys to attend.

        Args:
            query: `[query heads, length, head size]`, after rotary embedding.
            key: `[key heads, length, head size]`, after rotary embedding; query heads are a multiple of key heads.
            scale: factor on query-key products, usually `head size ** -0.5`.

        """


@dataclass(frozen=True)
class KvMethod(Method):
    """Selects, for each key head, the prompt's tokens that stay in the cache once the prompt is read."""

    phase: ClassVar[Phase] = "kv"

    @abstractmethod
    def select(self, query: Tensor, key: Tensor, scale: float) -> Tensor:
        """Tokens to keep: bool `[key heads, length]`.

        Args:
            query: `[query heads, length, head size]`, after rotary embedding.
            key: `[key heads, length, head size]`, after rotary embedding; query heads are a multiple of key heads.
            scale: factor on query-key products, usually `head size ** -0.5`.

        """

    def least_kept(self, length: int) -> int:
        """Fewest of a prompt's tokens that any key head keeps; a decode method must be able to work with these."""
        return max(1, round((1 - self.sparsity) * length))


@dataclass(frozen=True)
class DecodeMethod(Method):
    """Selects, for each key head, the cached tokens that one new token attends."""

    phase: ClassVar[Phase] = "decode"

    @abstractmethod
    def new_state(self) -> Any:
        """What the method keeps for one layer of one sequence between steps, empty."""

    @abstractmethod
    def select(self, state: Any, query: Tensor, key: Tensor) -> TokenSelection:
        """Tokens to attend.

        Args:
            state: this layer's and sequence's own, brought up to date here.
            query: `[query heads, head size]` of the new token, after rotary embedding.
            key: `[key heads, length, head size]`, the cache with the new token last.

        """
