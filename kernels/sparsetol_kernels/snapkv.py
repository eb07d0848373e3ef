"""SnapKV's importance of cached tokens, by definition."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor


def snapkv_scores(
    query: Tensor, key: Tensor, scale: float, window: int, pool: int, over: Literal["mean", "max"]
) -> Tensor:
    """Attention that the last `window` queries pay to each token, averaged over `pool` neighbouring tokens.

    Source: Li et al. 2024, arXiv 2404.14469, section 4, as configured in arXiv 2504.17768.

    Args:
        query: `[query heads, length, head size]`.
        key: `[key heads, length, head size]`; query heads are a multiple of key heads.
        scale: factor on the products.
        window: how many of the last queries are used; all where the prompt is shorter.
        pool: tokens of the average, odd, the token itself in the middle; outside the prompt zeros are averaged.
        over: "mean" takes the mean over the query heads of a key head and sums over queries; "max" takes the largest
            weight of any query of any of these heads.

    Returns:
        float32 `[key heads, length]`.

    """
    _, length, size = query.shape
    rows = min(window, length)
    grouped = query[:, length - rows :].float().view(key.shape[0], -1, rows, size)
    scores = grouped @ key.float()[:, None].transpose(-1, -2) * scale
    position = torch.arange(length - rows, length, device=query.device)
    future = torch.arange(length, device=query.device)[None, :] > position[:, None]
    mass = scores.masked_fill(future, float("-inf")).softmax(dim=-1)
    paid = mass.mean(dim=1).sum(dim=1) if over == "mean" else mass.amax(dim=(1, 2))
    return torch.nn.functional.avg_pool1d(paid[:, None], pool, stride=1, padding=pool // 2)[:, 0]
