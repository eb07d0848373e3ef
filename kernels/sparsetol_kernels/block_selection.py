"""Block-Sparse's choice of key blocks: the best by the products of block means, as lists for block-sparse attention."""

from __future__ import annotations

import importlib

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend, checking_indices, choose_backend, triton_serves
from sparsetol_kernels.block_sparse import pooled_block_scores
from sparsetol_kernels.errors import InputError, require, require_alike, require_shape, require_type

_NAME = "select_blocks"
_MOST_BLOCKS = 32768
"""Blocks of a prompt whose scores one program holds."""


def select_blocks(
    query: Tensor, key: Tensor, counts: Tensor, most: int, block: int, *,
    per_key_head: bool = False, backend: Backend | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """For each query head and row block the first key block, its own, the one before it and those of best score.

    A score is the product of the means of two blocks (`pooled_block_scores`); ties go to the earlier block. Nothing is
    read back to the host.

    Args:
        query: `[batch, query heads, length, head size]`, not padded.
        key: `[batch, key heads, length, head size]`; query heads are a multiple of key heads.
        counts: int32 `[row blocks]`, how many key blocks each row block attends: at least those that are always
            attended, at most those up to its own. Checked only where SPARSETOL_KERNELS_DEBUG=1.
        most: the largest of `counts`, known on the host.
        block: tokens in a block.
        per_key_head: whether the query heads of a key head share one list, by the mean of their scores.
        backend: what must compute it; None for the fastest on the device that takes the call.

    Returns:
        int32 `[batch, query heads, row blocks, most]`, ascending, undefined from the count on; and int32
        `[batch, query heads, row blocks]`, `counts` for every head. Of key heads where `per_key_head`.

    Raises:
        InputError: for tensors or parameters other than these.
        BackendError: where the named backend does not take the call.

    """
    require(
        query.dim() == 4,
        _NAME,
        lambda: f"query has {query.dim()} dimensions; wanted [batch, query heads, length, size]",
    )
    batch, heads, length, size = query.shape
    require_shape(_NAME, "key", key, (batch, None, length, size), f"[{batch}, key heads, {length}, {size}]")
    require(
        key.shape[1] > 0 and heads % key.shape[1] == 0, _NAME,
        lambda: f"{heads} query heads must be a multiple of {key.shape[1]} key heads",
    )  # fmt: skip
    require(min(query.shape) > 0, _NAME, lambda: f"query has shape {list(query.shape)}; none may be 0")
    require_alike(_NAME, "query and key", query, key)
    require(query.is_floating_point(), _NAME, lambda: f"query is {query.dtype}; wanted bfloat16, float16 or float32")
    require(block >= 1, _NAME, lambda: f"block {block} must be at least 1 token")
    require(most >= 1, _NAME, lambda: f"most {most} must be at least 1 block")
    blocks = -(-length // block)
    require_shape(_NAME, "counts", counts, (blocks,), f"[{blocks} row blocks of {block} for length {length}]")
    require_type(_NAME, "counts", counts, torch.int32, query.device)
    if checking_indices():
        _check_counts(counts, most)
    chosen = selection_backend(query, block, backend)
    if chosen is Backend.PYTORCH:
        count = counts.expand(batch, key.shape[1] if per_key_head else heads, -1)
        return _by_definition(query, key, counts, most, block, per_key_head), count
    rows_contiguous = (tensor if tensor.stride(3) == 1 else tensor.contiguous() for tensor in (query, key))
    module = importlib.import_module("sparsetol_kernels.on_triton.block_selection")
    found: tuple[Tensor, Tensor] = module.select(
        *rows_contiguous, counts.contiguous(), most, block, per_key_head=per_key_head
    )
    return found


def _check_counts(counts: Tensor, most: int) -> None:
    own = torch.arange(1, len(counts) + 1, device=counts.device)
    for row in ((counts < 1) | (counts > own) | (counts > most)).nonzero().flatten().tolist()[:1]:
        wanted = f"1 to {min(row + 1, most)}, the blocks up to its own and most {most}"
        raise InputError(f"{_NAME}: counts[{row}] is {int(counts[row])}; wanted {wanted}")


def selection_backend(query: Tensor, block: int, backend: Backend | None = None) -> Backend:
    """What `select_blocks` computes such a call with; raises `BackendError` where `backend` cannot."""
    blocks = -(-query.shape[2] // block)
    takes = {
        Backend.TRITON: triton_serves(query.device) and query.dtype != torch.float64 and blocks <= _MOST_BLOCKS,
        Backend.PYTORCH: True,
    }
    return choose_backend(_NAME, backend, takes, lambda: f"{blocks} blocks of {query.dtype} on {query.device}")


def _by_definition(query: Tensor, key: Tensor, counts: Tensor, most: int, block: int, per_key_head: bool) -> Tensor:
    number = torch.arange(counts.shape[0], device=query.device)
    back = number[:, None] - number
    forced = (number == 0) | (back == 0) | (back == 1)
    first = number < counts[:, None]
    lists = []
    for q, k in zip(query, key, strict=True):
        scores = pooled_block_scores(q, k, block, per_key_head=per_key_head)
        scores = scores.masked_fill(forced, float("inf")).masked_fill(back < 0, float("-inf"))
        order = torch.sort(scores, dim=-1, descending=True, stable=True).indices
        # What is not chosen sorts to the end.
        lists.append(order.where(first, counts.shape[0]).sort(dim=-1).values[..., :most])
    return torch.stack(lists).int()
