"""Causal attention over columns and diagonals of the attention matrix."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch
from torch import Tensor

from sparsetol_kernels.attention import Scoring, attend_with_log_sum
from sparsetol_kernels.backend import Backend, choose_backend, triton_serves
from sparsetol_kernels.errors import require, require_scale, require_shape, require_type
from sparsetol_kernels.inputs import check_prompt, check_scores, rows_contiguous
from sparsetol_kernels.selection import LineSelection

BLOCKS = (16, 32, 64, 128)
"""Rows of a row block that the kernel takes; PyTorch takes any."""

HEAD_SIZES = (16, 256)
"""Smallest and largest head size of the kernel."""

_NAME = "vertical_slash_attention"


def vertical_slash_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    columns: Tensor,
    slashes: Tensor,
    *,
    block: int = 64,
    scale: float | None = None,
    softcap: float | None = None,
    sinks: Tensor | None = None,
    return_log_sum_exp: bool = False,
    backend: Backend | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Softmax attention of every query row over the keys that the lines bring to its row block, causal to the token.

    A diagonal at offset o brings to the row block that starts at row r the keys r - o to r - o + block - 1; a column
    brings its key to every row block; a key that both bring counts once. Nothing else enters a row's softmax: where the
    kernel loads a tile of which only a part was brought, the rest is masked. The kernel's lists are made on the device,
    without waiting for it: the chosen columns, and the ranges of the diagonals once merged, for each query head.

    Source: Jiang et al. 2024 (MInference), arXiv 2407.02490; departure: ranges are not widened to whole blocks.

    Args:
        query: `[batch, query heads, length, head size]`, not padded; bfloat16, float16 or float32; any strides.
        key: `[batch, key heads, length, head size]`; query heads are a multiple of key heads.
        value: `[batch, key heads, length, value size]`.
        columns: bool `[batch, query heads, length]`, by key position.
        slashes: bool `[batch, query heads, length]`, by offset (query position - key position).
        block: query rows in a row block.
        scale: factor on the products, above 0; None for `head size ** -0.5`.
        softcap: scores become `softcap * tanh(score / softcap)`.
        sinks: `[query heads]`, a logit for each that joins the softmax and has no value.
        return_log_sum_exp: also return the natural logarithm of each softmax's denominator.
        backend: what must compute it; None for the fastest on the device that takes the call, as
            `vertical_slash_backend` names it.

    Returns:
        `[batch, query heads, length, value size]` in the query's dtype; and None, or float32
        `[batch, query heads, length]`, -inf where a row has no key.

    Raises:
        InputError: for tensors or parameters other than these.
        BackendError: where the named backend does not take the call.

    """
    _check(query, key, value, columns, slashes, block, scale, softcap, sinks)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    chosen = vertical_slash_backend(query, key, value, block, backend=backend)
    forward: Callable[..., tuple[Tensor, Tensor | None]] = _by_definition
    if chosen is Backend.TRITON:
        forward = importlib.import_module("sparsetol_kernels.on_triton.vertical_slash").forward
        query, key, value = (rows_contiguous(tensor) for tensor in (query, key, value))
    return forward(
        query, key, value, columns, slashes, block,
        scale=scale, softcap=softcap, sinks=sinks, log_sum=return_log_sum_exp,
    )  # fmt: skip


def vertical_slash_backend(
    query: Tensor, key: Tensor, value: Tensor, block: int, *, backend: Backend | None = None
) -> Backend:
    """What `vertical_slash_attention` computes such a call with; raises `BackendError` where `backend` cannot."""
    sizes = (query.shape[3], key.shape[3], value.shape[3])
    on_triton = (
        triton_serves(query.device)
        and query.dtype in {torch.bfloat16, torch.float16, torch.float32}
        and block in BLOCKS
        and HEAD_SIZES[0] <= min(sizes)
        and max(sizes) <= HEAD_SIZES[1]
    )
    takes = {Backend.TRITON: on_triton, Backend.PYTORCH: True}
    return choose_backend(
        _NAME, backend, takes, lambda:
        f"row blocks of {block}, head sizes {sizes[0]} and {sizes[2]}, {query.dtype} on {query.device} "
        "with what is installed here",
    )  # fmt: skip


def _by_definition(
    query: Tensor, key: Tensor, value: Tensor, columns: Tensor, slashes: Tensor, block: int, *,
    scale: float, softcap: float | None, sinks: Tensor | None, log_sum: bool,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """In PyTorch, one row block at a time, in float32 (float64 for float64)."""
    batch, heads, length, _ = query.shape
    scoring = Scoring(scale, None, softcap, sinks)
    out = query.new_empty(batch, heads, length, value.shape[3])
    sums = query.new_empty((batch, heads, length), dtype=torch.float32) if log_sum else None
    position = torch.arange(length, device=query.device)
    for sequence in range(batch):
        keys = LineSelection(columns[sequence], slashes[sequence], block).keys
        for number, start in enumerate(range(0, length, block)):
            rows = slice(start, min(start + block, length))
            seen = keys[:, number, None, : rows.stop] & (position[: rows.stop] <= position[rows, None])
            part, part_sums = attend_with_log_sum(
                query[sequence, :, rows], key[sequence, :, : rows.stop], value[sequence, :, : rows.stop], seen, scoring
            )
            out[sequence, :, rows] = part
            if sums is not None:
                sums[sequence, :, rows] = part_sums
    return out, sums


def _check(
    query: Tensor, key: Tensor, value: Tensor, columns: Tensor, slashes: Tensor, block: int,
    scale: float | None, softcap: float | None, sinks: Tensor | None,
) -> None:  # fmt: skip
    check_prompt(_NAME, query, key, value)
    batch, heads, length, _ = query.shape
    for name, lines in (("columns", columns), ("slashes", slashes)):
        require_shape(_NAME, name, lines, (batch, heads, length), f"[batch {batch}, query heads {heads}, {length}]")
        require_type(_NAME, name, lines, torch.bool, query.device)
    require(block >= 1, _NAME, lambda: f"block {block} must be at least 1 row")
    require(query.shape[3] > 0, _NAME, "the head size must be at least 1")
    require_scale(_NAME, scale)
    check_scores(_NAME, query, softcap, sinks)
