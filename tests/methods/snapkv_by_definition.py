"""SnapKV's scores as loops in float64, and what the best tokens by them are, ties aside."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

CLOSE = 1e-6
"""Scores nearer than this share of the cut count as tied: the method computes them in float32."""


def tensors(heads: int, groups: int, length: int, seed: int = 42) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        3 * torch.randn(heads, length, 16, generator=generator),
        torch.randn(groups, length, 16, generator=generator),
    )


def scores_by_definition(
    query: Tensor, key: Tensor, scale: float, window: int, pool: int, over: Literal["mean", "max"]
) -> Tensor:
    heads, length, _ = query.shape
    groups = key.shape[0]
    paid = torch.zeros(groups, length, dtype=torch.float64)
    for head in range(heads):
        group = head * groups // heads
        for i in range(max(0, length - window), length):
            mass = (key[group, : i + 1].double() @ query[head, i].double() * scale).softmax(dim=0)
            if over == "mean":
                paid[group, : i + 1] += mass * groups / heads
            else:
                paid[group, : i + 1] = torch.maximum(paid[group, : i + 1], mass)
    pooled = torch.zeros_like(paid)
    for j in range(length):
        pooled[:, j] = paid[:, max(0, j - pool // 2) : j + pool // 2 + 1].sum(dim=1) / pool
    return pooled


def forced(length: int, sinks: int, local: int) -> list[int]:
    return [token for token in range(length) if token < sinks or token >= length - local]


def assert_best(scores: Tensor, kept: Tensor) -> None:
    """Of the tokens that `scores` belong to, those kept score at least as much as those not, ties aside."""
    if kept.any() and not kept.all():
        cut = float(scores[~kept].max())
        assert float(scores[kept].min()) >= cut * (1 - CLOSE)
