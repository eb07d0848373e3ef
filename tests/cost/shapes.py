"""Shapes of published models, for costs that a paper states."""

from __future__ import annotations

from pytest_sparsetol.cost.shape import Shape

QWEN = {
    "7B": (3584, 28, 28, 4, 18944),
    "14B": (5120, 48, 40, 8, 13824),
    "32B": (5120, 64, 40, 8, 27648),
    "72B": (8192, 80, 64, 8, 29568),
}
"""Qwen2.5: width, layers, query heads, key heads, MLP width."""
VOCABULARY = 152064


def qwen(size: str) -> Shape:
    """By the sum of its matrices; heads have 128 channels, weights two bytes."""
    width, layers, heads, key_heads, inner = QWEN[size]
    matrices = layers * (2 * width * width + 2 * width * 128 * key_heads + 3 * width * inner)
    return Shape(matrices, 0, 1, 1, heads, key_heads, 128, 128, (None,) * layers, 2)


def width(size: str) -> int:
    """Channels of the residual stream."""
    return QWEN[size][0]
