"""Sums of the last queries' attention over columns and diagonals."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend, triton_serves

DTYPES = (torch.bfloat16, torch.float16, torch.float32)
LARGEST_HEAD = 256
"""What the Triton kernels take; PyTorch computes any floating dtype and head size."""


def vertical_slash_scores(query: Tensor, key: Tensor, scale: float, window: int) -> tuple[Tensor, Tensor]:
    """Attention mass of the last `window` queries on each key column and on each diagonal.

    Plain Triton kernels compute it on CUDA, without the matrix of scores; PyTorch elsewhere:
    `vertical_slash_scores_backend` says which. Sums are in float32 in both, in another order.

    Source: Jiang et al. 2024, arXiv 2407.02490, section 3.2.

    Args:
        query: `[query heads, length, head size]`.
        key: `[key heads, length, head size]`; query heads are a multiple of key heads.
        scale: factor on the products.
        window: how many of the last queries are used; all where the prompt is shorter.

    Returns:
        Two float32 tensors `[query heads, length]`: by key, and by offset (query position - key position).

    """
    if vertical_slash_scores_backend(query) is Backend.PYTORCH:
        return scores_by_definition(query, key, scale, window)
    from sparsetol_kernels.on_triton.line_scores import line_scores

    query, key = (tensor if tensor.stride(2) == 1 else tensor.contiguous() for tensor in (query, key))
    return line_scores(query, key, scale, window)


def vertical_slash_scores_backend(query: Tensor) -> Backend:
    """What `vertical_slash_scores` computes such a call with."""
    on_triton = (
        query.device.type == "cuda"
        and triton_serves(query.device)
        and query.dtype in DTYPES
        and 16 <= query.shape[-1] <= LARGEST_HEAD
    )
    return Backend.TRITON if on_triton else Backend.PYTORCH


def scores_by_definition(query: Tensor, key: Tensor, scale: float, window: int) -> tuple[Tensor, Tensor]:
    """`vertical_slash_scores` in PyTorch."""
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
