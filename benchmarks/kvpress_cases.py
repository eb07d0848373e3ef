"""Inputs that kvpress and our methods are both given.

They are products and sums of what numpy's old generator draws evenly, which is the same to the bit everywhere.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
DECODED = 4
"""Tokens that a model case reads after its prompt, each attending what is left of it."""


@dataclass(frozen=True)
class TensorCase:
    """Queries and keys of one layer.

    Attributes:
        heads: query heads.
        key_heads: key heads.
        length: tokens of the prompt.
        size: head size.
        window: the last queries, which choose; their own tokens are always kept.
        pool: tokens that a score is averaged over.
        sparsity: share of the tokens to drop.
        quiet: whether the window's tokens draw no attention, so that it does not matter whether pooling sees them.

    """

    heads: int
    key_heads: int
    length: int
    size: int
    window: int
    pool: int
    sparsity: float
    quiet: bool

    @property
    def name(self) -> str:
        """Everything that tells it apart."""
        return (
            f"{self.heads}-{self.key_heads} heads of {self.size}, {self.length} tokens, window {self.window}, "
            f"pool {self.pool}, {self.sparsity}{', quiet' if self.quiet else ''}"
        )

    def tensors(self) -> tuple[Array, Array]:
        """Queries `[heads, length, size]` and keys `[key_heads, length, size]`."""
        draw = np.random.RandomState(self.length)
        query = draw.uniform(-5, 5, (self.heads, self.length, self.size))
        # Later key heads attend ever more evenly, so that they claim different budgets.
        sharpness = np.linspace(1, 0.3, self.key_heads)[:, None, None]
        key = draw.uniform(-2, 2, (self.key_heads, self.length, self.size)) * sharpness
        if self.quiet:
            query[..., 0] = 10
            key[..., 0] = 0
            key[:, -self.window :, 0] = -10 * math.sqrt(self.size)
        return query.astype(np.float32), key.astype(np.float32)


@dataclass(frozen=True)
class ModelCase:
    """A Llama of two layers with random weights, a prompt and the tokens after it; scores are not pooled.

    Attributes:
        heads: query heads, of 16.
        key_heads: key heads.
        length: tokens of the prompt.
        window: the last queries, which choose; their own tokens are always kept.
        sparsity: share of the tokens to drop.

    """

    heads: int
    key_heads: int
    length: int
    window: int
    sparsity: float

    @property
    def name(self) -> str:
        """Everything that tells it apart."""
        return (
            f"llama, {self.heads}-{self.key_heads} heads, {self.length} tokens, window {self.window}, {self.sparsity}"
        )

    @property
    def config(self) -> dict[str, Any]:
        """Arguments of `LlamaConfig`."""
        return {
            "vocab_size": 32,
            "hidden_size": 16 * self.heads,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_heads,
            "head_dim": 16,
            "max_position_embeddings": 1024,
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": False,
        }

    def weights(self, shapes: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, Array]:
        """Values for parameters of these names and shapes, in whatever order they come."""
        draw = np.random.RandomState(self.length)
        return {
            name: np.ones(shape, np.float32) if "norm" in name else draw.uniform(-0.4, 0.4, shape).astype(np.float32)
            for name, shape in sorted(shapes)
        }

    def tokens(self) -> list[int]:
        """The prompt and `DECODED` tokens after it."""
        return np.random.RandomState(self.length + 1).randint(0, 32, self.length + DECODED).tolist()  # type: ignore[no-any-return]  # of one dimension


def digest(*parts: Array) -> str:
    """Whether both sides saw the same numbers."""
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]


SMALL = (
    TensorCase(2, 2, 65, 16, 1, 1, 0.5, quiet=False),
    TensorCase(3, 3, 101, 16, 1, 1, 0.8, quiet=False),
    TensorCase(6, 2, 101, 16, 8, 1, 0.5, quiet=False),
    TensorCase(4, 1, 130, 16, 32, 1, 0.3, quiet=False),
    TensorCase(8, 2, 257, 16, 64, 5, 0.5, quiet=False),
    TensorCase(2, 2, 101, 32, 1, 5, 0.8, quiet=True),
    TensorCase(6, 2, 129, 16, 8, 21, 0.7, quiet=True),
    TensorCase(4, 1, 130, 64, 32, 5, 0.5, quiet=True),
    TensorCase(12, 3, 201, 16, 32, 7, 0.8, quiet=True),
)
"""Their scores are kept with the tests, which compare them with the code at hand."""

LARGE = tuple(
    TensorCase(heads, key_heads, length, size, 64, pool, sparsity, quiet=quiet)
    for heads, key_heads, size in ((4, 4, 64), (6, 2, 128), (16, 4, 64))
    for length, sparsity in ((1000, 0.5), (2048, 0.9), (4097, 0.9))
    for pool, quiet in ((1, False), (5, True), (5, False))
)
"""As models have them; only what comes of comparing them is kept."""

MODELS = (
    ModelCase(4, 4, 97, 1, 0.7),
    ModelCase(6, 2, 129, 8, 0.5),
    ModelCase(4, 1, 200, 32, 0.8),
)
