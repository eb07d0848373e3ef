"""Causal attention of each block of query rows over a list of key blocks."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sparsetol_kernels.attention import Scoring, attend_with_log_sum
from sparsetol_kernels.backend import Backend, checking_indices, choose_backend, gluon_serves, triton_serves
from sparsetol_kernels.errors import InputError, require, require_scale, require_shape, require_type
from sparsetol_kernels.inputs import check_prompt, check_scores, fits_tma, rows_contiguous

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCKS = (16, 32, 64, 128)
"""Tokens in a block that the kernels take; PyTorch takes any."""

HEAD_SIZES = (16, 256)
"""Smallest and largest head size of the kernels."""

_NAME = "block_sparse_attention"


def block_sparse_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    block_index: Tensor,
    block_count: Tensor,
    *,
    block: int,
    starts: Tensor | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    sinks: Tensor | None = None,
    return_log_sum_exp: bool = False,
    backend: Backend | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Softmax attention of every query row over the listed key blocks of its row block, causal to the token.

    Row block i of a sequence holds its tokens i * block to (i + 1) * block - 1, counted from its start; key blocks are
    counted alike. Nothing outside the listed blocks is read into the result, and no block is widened.

    Args:
        query: `[batch, query heads, length, head size]`, bfloat16, float16 or float32; any strides.
        key: `[batch, key heads, length, head size]`; query heads are a multiple of key heads.
        value: `[batch, key heads, length, value size]`.
        block_index: int32 `[batch, query heads or key heads, row blocks, most]`: the key blocks of each row block,
            strictly ascending, none after the row block itself; entries from the count on are never read. Where there
            is one list for each key head, all query heads of its group use it. Row blocks cover `length`; those of a
            padded sequence that begin after its last token are not read.
        block_count: int32 `[batch, heads, row blocks]`: how many entries count; 0 gives rows of zeros.
        block: tokens in a block.
        starts: int32 `[batch]`, position of each sequence's first token, for left padding; None for 0.
        scale: factor on the products, above 0; None for `head size ** -0.5`.
        softcap: scores become `softcap * tanh(score / softcap)`.
        sinks: `[query heads]`, a logit for each that joins the softmax and has no value.
        return_log_sum_exp: also return the natural logarithm of each softmax's denominator.
        backend: what must compute it; None for the fastest on the device that takes the call, as
            `block_sparse_backend` names it.

    Returns:
        `[batch, query heads, length, value size]` in the query's dtype, zeros at padding; and None, or float32
        `[batch, query heads, length]`, -inf where a row has no key.

    Raises:
        InputError: for tensors or parameters other than these. Entries of `block_index` are checked only where
            SPARSETOL_KERNELS_DEBUG=1; out of range, they are undefined behaviour without it.
        BackendError: where the named backend does not take the call.

    """
    _check(query, key, value, block_index, block_count, block, starts, scale, softcap, sinks)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    if checking_indices():
        _check_indices(block_index, block_count, block, query.shape[2], starts)
    chosen = block_sparse_backend(query, key, value, block, softcap=softcap, sinks=sinks, backend=backend)
    forward = _forward_of(chosen)
    return forward(
        *(rows_contiguous(tensor) for tensor in (query, key, value)), block_index.contiguous(),
        block_count.contiguous(), block, starts=starts, scale=scale, softcap=softcap, sinks=sinks,
        log_sum=return_log_sum_exp,
    )  # fmt: skip


def block_sparse_backend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    block: int,
    *,
    softcap: float | None = None,
    sinks: Tensor | None = None,
    backend: Backend | None = None,
) -> Backend:
    """What `block_sparse_attention` computes such a call with; raises `BackendError` where `backend` cannot."""
    size, value_size = query.shape[3], value.shape[3]
    half = query.dtype in {torch.bfloat16, torch.float16}
    on_triton = (
        triton_serves(query.device)
        and (half or query.dtype == torch.float32)
        and block in BLOCKS
        and HEAD_SIZES[0] <= min(size, value_size)
        and max(size, value_size) <= HEAD_SIZES[1]
    )
    on_gluon = (
        on_triton
        and gluon_serves(query.device)
        and half
        and block == 128
        and size == value_size
        and size in {64, 128}
        and softcap is None
        and sinks is None
        and all(fits_tma(tensor) for tensor in (query, key, value))
    )
    takes = {Backend.GLUON: on_gluon, Backend.TRITON: on_triton, Backend.PYTORCH: True}
    return choose_backend(
        _NAME, backend, takes, lambda:
        f"blocks of {block}, head sizes {size} and {value_size}, {query.dtype} on {query.device} "
        "with what is installed here",
    )  # fmt: skip


def block_sparse_by_definition(
    query: Tensor, key: Tensor, value: Tensor, index: Tensor, count: Tensor, block: int, *,
    starts: Tensor | None, scale: float, softcap: float | None, sinks: Tensor | None, log_sum: bool,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """`block_sparse_attention` in PyTorch, one row block at a time, in float32 (float64 for float64)."""
    batch, heads, length, _ = query.shape
    group = heads // key.shape[1]
    repeat = heads // index.shape[1]
    scoring = Scoring(scale, None, softcap, sinks)
    out = query.new_zeros(batch, heads, length, value.shape[3])
    sums = query.new_full((batch, heads, length), -math.inf, dtype=torch.float32) if log_sum else None
    owner = torch.arange(heads, device=query.device)[:, None] // group
    within = torch.arange(block, device=query.device)
    for sequence, start in enumerate([0] * batch if starts is None else starts.tolist()):
        tokens = length - start
        for row_block, begin in enumerate(range(0, tokens, block)):
            row = torch.arange(begin, min(begin + block, tokens), device=query.device)
            entries = count[sequence, :, row_block].repeat_interleave(repeat)
            most = int(entries.max())
            blocks = index[sequence, :, row_block, :most].repeat_interleave(repeat, dim=0).long()
            real = (torch.arange(most, device=query.device) < entries[:, None]).repeat_interleave(block, dim=1)
            keys = (blocks[:, :, None] * block + within).flatten(1)
            seen = real[:, None] & (keys[:, None] <= row[:, None])
            at = start + keys.where(real, 0).clamp(max=tokens - 1)
            rows = slice(start + begin, start + begin + len(row))
            part, part_sums = attend_with_log_sum(
                query[sequence, :, rows], key[sequence][owner, at], value[sequence][owner, at], seen, scoring
            )
            out[sequence, :, rows] = part
            if sums is not None:
                sums[sequence, :, rows] = part_sums
    return out, sums


def _forward_of(backend: Backend) -> Callable[..., tuple[Tensor, Tensor | None]]:
    if backend is Backend.PYTORCH:
        return block_sparse_by_definition
    module = importlib.import_module(f"sparsetol_kernels.on_{backend}.block_sparse")
    forward: Callable[..., tuple[Tensor, Tensor | None]] = module.forward
    return forward


def _check(
    query: Tensor, key: Tensor, value: Tensor, index: Tensor, count: Tensor, block: int,
    starts: Tensor | None, scale: float | None, softcap: float | None, sinks: Tensor | None,
) -> None:  # fmt: skip
    check_prompt(_NAME, query, key, value)
    batch, heads, length, _ = query.shape
    key_heads = key.shape[1]
    require(query.shape[3] > 0, _NAME, "the head size must be at least 1")
    require_scale(_NAME, scale)
    require(block >= 1, _NAME, lambda: f"block {block} must be at least 1 token")
    rows = -(-length // block)
    require_shape(
        _NAME, "block_index", index, (batch, None, rows, None),
        f"[batch {batch}, query or key heads, {rows} row blocks of {block} for length {length}, most]",
    )  # fmt: skip
    require(
        index.shape[1] in {heads, key_heads},
        _NAME,
        lambda: f"block_index has {index.shape[1]} heads; wanted {heads} (query heads) or {key_heads} (key heads)",
    )
    require_shape(
        _NAME, "block_count", count, (batch, index.shape[1], rows), f"{list(index.shape[:3])}, as block_index"
    )
    whole = {"block_index": index, "block_count": count}
    if starts is not None:
        require_shape(_NAME, "starts", starts, (batch,), f"[batch {batch}]")
        whole["starts"] = starts
    for name, tensor in whole.items():
        require_type(_NAME, name, tensor, torch.int32, query.device)
    check_scores(_NAME, query, softcap, sinks)


def _check_indices(index: Tensor, count: Tensor, block: int, length: int, starts: Tensor | None) -> None:
    row_block = torch.arange(index.shape[2], device=index.device)[:, None]
    place = torch.arange(index.shape[3], device=index.device)
    first = torch.zeros_like(count[:, 0, 0]) if starts is None else starts
    for sequence in ((first < 0) | (first >= length)).nonzero().flatten().tolist():
        raise InputError(f"{_NAME}: starts[{sequence}] is {int(first[sequence])}; wanted 0 to {length - 1}")
    used = (row_block.flatten() * block < (length - first)[:, None])[:, None]
    short = (count >= 0) & (count <= index.shape[3])
    for sequence, head, row in (~short & used).nonzero().tolist():
        raise InputError(
            f"{_NAME}: block_count[{sequence}, {head}, {row}] is {int(count[sequence, head, row])}; wanted 0 to "
            f"{index.shape[3]}, the entries of block_index"
        )
    real = (place < count[..., None]) & used[..., None]
    wrong = real & ((index < 0) | (index > row_block))
    wrong[..., 1:] |= real[..., 1:] & (index[..., 1:] <= index[..., :-1])
    if bool(wrong.any()):
        sequence, head, row, entry = (int(part) for part in wrong.nonzero()[0])
        raise InputError(
            f"{_NAME}: block_index[{sequence}, {head}, {row}] holds {int(index[sequence, head, row, entry])} at place "
            f"{entry}; wanted strictly ascending blocks of 0 to {row}"
        )
