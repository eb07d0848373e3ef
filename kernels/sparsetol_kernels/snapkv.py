"""SnapKV's importance of cached tokens."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend, triton_serves
from sparsetol_kernels.errors import require
from sparsetol_kernels.last_queries import check_last_queries

DTYPES = (torch.bfloat16, torch.float16, torch.float32)
LARGEST_HEAD = 256
"""What the Triton kernels take; PyTorch computes any floating dtype and head size."""

_NAME = "snapkv_scores"


def snapkv_scores(
    query: Tensor, key: Tensor, scale: float, window: int, pool: int, over: Literal["mean", "max"]
) -> Tensor:
    """Attention that the last `window` queries pay to each token, averaged over `pool` neighbouring tokens.

    Plain Triton kernels compute it on CUDA, without storing the queries' scores; PyTorch elsewhere: `snapkv_backend`
    says which. Sums are in float32 in both, in another order.

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

    Raises:
        InputError: for tensors or parameters other than these.

    """
    check_last_queries(_NAME, query, key, scale, window)
    require(pool >= 1 and pool % 2 == 1, _NAME, lambda: f"pool {pool} must be odd and at least 1 token")
    require(over in {"mean", "max"}, _NAME, lambda: f"over {over!r} must be 'mean' or 'max'")
    rows = min(window, query.shape[1])
    if snapkv_backend(query) is Backend.PYTORCH:
        paid = attention_paid_by_definition(query, key, scale, rows, over)
    else:
        from sparsetol_kernels.on_triton.snapkv import launch

        paid = launch(query, key, scale, rows, over)
    return torch.nn.functional.avg_pool1d(paid[:, None], pool, stride=1, padding=pool // 2)[:, 0]


def snapkv_backend(query: Tensor) -> Backend:
    """What `snapkv_scores` computes such a call with."""
    on_triton = (
        query.device.type == "cuda"
        and triton_serves(query.device)
        and query.dtype in DTYPES
        and query.shape[-1] <= LARGEST_HEAD
    )
    return Backend.TRITON if on_triton else Backend.PYTORCH


def attention_paid_by_definition(
    query: Tensor, key: Tensor, scale: float, rows: int, over: Literal["mean", "max"]
) -> Tensor:
    """What the last `rows` queries pay to each token before pooling: float32 `[key heads, length]`."""
    _, length, size = query.shape
    grouped = query[:, length - rows :].float().view(key.shape[0], -1, rows, size)
    scores = grouped @ key.float()[:, None].transpose(-1, -2) * scale
    position = torch.arange(length - rows, length, device=query.device)
    future = torch.arange(length, device=query.device)[None, :] > position[:, None]
    mass = scores.masked_fill(future, float("-inf")).softmax(dim=-1)
    return mass.mean(dim=1).sum(dim=1) if over == "mean" else mass.amax(dim=(1, 2))
