"""Sums of the last queries' attention over columns and diagonals, by definition."""

from __future__ import annotations

import torch
from torch import Tensor


def vertical_slash_scores(query: Tensor, key: Tensor, scale: float, window: int) -> tuple[Tensor, Tensor]:
    """Attention mass of the last `window` queries on each key column and on each diagonal.

    Source: Jiang et al. 2024, arXiv 2407.02490, section 3.2.

    Args:
        query: `[query heads, length, head size]`.
        key: `[key heads, length, head size]`; query heads are a multiple of key heads.
        scale: factor on the products.
        window: how many of the last queries are used; all where the prompt is shorter.

    Returns:
        Two float32 tensors `[query heads, length]`: by key, and by offset (query position - key position).

    """
    heads, length, _ = query.shape
    rows = min(window, length)
    grouped = query[:, length - rows :].float().view(key.shape[0], -1, rows, query.shape[2])
    scores = (grouped @ key.float()[:, None].transpose(-1, -2) * scale).flatten(0, 1)
    position = torch.arange(length - rows, length, device=query.device)
    future = torch.arange(length, device=query.device)[None, :] > position[:, None]
    mass = scores.masked_fill(future, float("-inf")).softmax(dim=-1)
    # Row w, mirrored and shifted right by w, has offset o in column o + rows - 1: a diagonal becomes a column.
    mirrored = torch.nn.functional.pad(mass.flip(-1), (0, rows))
    sheared = mirrored.flatten(1)[:, : rows * (length + rows - 1)].view(heads, rows, length + rows - 1)
    return mass.sum(dim=1), sheared.sum(dim=1)[:, rows - 1 :].reshape(heads, length)
