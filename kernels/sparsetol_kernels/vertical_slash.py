"""Sums of the last queries' attention over columns and diagonals."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend, triton_serves
from sparsetol_kernels.last_queries import check_last_queries

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

    Raises:
        InputError: for tensors or numbers other than these.

    """
    check_last_queries("vertical_slash_scores", query, key, scale, window)
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
    """`vertical_slash_scores` in PyTorch, one head at a time: its rows stay in a CPU's cache."""
    heads, length, _ = query.shape
    group, rows = heads // key.shape[0], min(window, length)
    last, keys = query[:, length - rows :].float(), key.float()
    position = torch.arange(length, device=query.device)
    future = position > position[length - rows :, None]
    across, along = query.new_empty(2, heads, length, dtype=torch.float32)
    for head in range(heads):
        scores = (last[head] @ keys[head // group].T * scale).masked_fill_(future, float("-inf"))
        mass = torch.nn.functional.pad(scores.softmax(dim=-1), (rows - 1, 0))
        across[head] = mass[:, rows - 1 :].sum(dim=0)
        # One entry more from row to row: each column of this view is a diagonal, the first one of the largest offset.
        along[head] = mass.as_strided((rows, length), (length + rows, 1)).sum(dim=0).flip(0)
    return across, along
