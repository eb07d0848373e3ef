"""What a method is to the engine: parameters, a reachable range, and a selection rule for its phase.

Methods are frozen dataclasses, so that contracts can name, check and plan them without torch; the rules themselves
import torch when they are called. A prefill or kv rule sees one unpadded sequence of one layer, a decode rule one new
token.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pytest_sparsetol.errors import MethodError

if TYPE_CHECKING:
    from sparsetol_kernels.selection import PrefillSelection, TokenSelection
    from torch import Tensor

Phase = Literal["prefill", "kv", "decode"]
PHASES: tuple[Phase, ...] = ("prefill", "kv", "decode")


@dataclass(frozen=True)
class Method(ABC):
    """A method with its parameters.

    Attributes:
        sparsity: declared share of pairs or tokens that is not attended; None where parameters fix the budget instead,
            and the sparsity is what is measured.
        explicit: names of the parameters that do so, None by default; a sparsity and one of these exclude each other.

    """

    name: ClassVar[str]
    phase: ClassVar[Phase]
    explicit: ClassVar[tuple[str, ...]] = ()

    sparsity: float | None

    def __post_init__(self) -> None:
        given = [name for name in self.explicit if getattr(self, name) is not None]
        if self.sparsity is None:
            if not self.explicit or len(given) < len(self.explicit):
                instead = f", or {' and '.join(self.explicit)} in its place" if self.explicit else ""
                raise MethodError(f"{self.name} needs a sparsity{instead}")
        elif given:
            raise MethodError(
                f"{given[0]}: {self.name} takes a sparsity or {given[0]}, not both: one follows the other"
            )
        elif not 0 <= self.sparsity < 1:
            raise MethodError(f"sparsity {self.sparsity} must be at least 0 and under 1; 0.95 keeps a twentieth")
        for name in given:
            if getattr(self, name) < 0:
                raise MethodError(f"{name} {getattr(self, name)} must be at least 0")

    @property
    def kept(self) -> float:
        """The declared share that is attended."""
        if self.sparsity is None:
            raise MethodError(f"{self.name} declares no sparsity: {' and '.join(self.explicit)} fix its budget")
        return 1 - self.sparsity

    def settings(self, length: int) -> dict[str, object]:  # noqa: ARG002  # of those whose parameters depend on it
        """The parameters as they act on prompts of `length` tokens, for reports; None where one does not act."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "sparsity"}

    @abstractmethod
    def reach(self, length: int) -> float:
        """Largest sparsity that this method can hold on prompts of `length` tokens, given what it always keeps."""

    def check(self, length: int) -> None:
        """Raise `MethodError` where the declared sparsity is out of reach at `length` tokens."""
        if self.sparsity is None:
            return
        largest = self.reach(length)
        if self.sparsity > largest + 1e-9:
            raise MethodError(
                f"{self.name} cannot reach sparsity {self.sparsity:g} at {length} tokens: what it always keeps "
                f"leaves at most {largest:.2f} (reachable: 0 to {largest:.2f})"
            )


def last_rows(window: int, length: int) -> float:
    """Causal pairs of a prompt's last `window` queries: what methods score that look from its end."""
    rows = min(window, length)
    return rows * length - rows * (rows - 1) / 2


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

    def scored_pairs(self, length: int) -> float:  # noqa: ARG002  # of those that score nothing
        """Query-key products that the choice takes, for each query head, on a prompt of `length` tokens."""
        return 0.0


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

    def scored_pairs(self, length: int) -> float:  # noqa: ARG002  # of those that score nothing
        """Query-key products that the choice takes, for each query head, on a prompt of `length` tokens."""
        return 0.0

    def least_kept(self, length: int) -> int:
        """Fewest of a prompt's tokens that any key head keeps; a decode method must be able to work with these."""
        return max(1, round(self.kept * length))


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
