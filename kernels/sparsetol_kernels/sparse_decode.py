"""Sparse decode attention of a batch: one new token of each sequence over lists of pages or tokens of its cache."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.backend import Backend, checking_indices, triton_serves
from sparsetol_kernels.custom_operator import define_operator
from sparsetol_kernels.errors import InputError, require, require_scale
from sparsetol_kernels.sequences import check_sequences

_NAME = "sparse_decode_attention"
DTYPES = (torch.bfloat16, torch.float16, torch.float32)
LARGEST_HEAD = 256
"""What the Triton kernel takes; PyTorch computes any floating dtype and head size."""


def sparse_decode_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    index: Tensor,
    count: Tensor,
    *,
    page_size: int = 1,
    starts: Tensor | None = None,
    lengths: Tensor | None = None,
    scale: float | None = None,
    window: int | None = None,
    softcap: float | None = None,
    sinks: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention of one new token of each sequence over the cached tokens listed for each key head.

    On CUDA plain Triton kernels compute it, with products in the inputs' dtype and sums in float32; elsewhere, for
    float64 and for heads larger than 256, PyTorch does: `sparse_decode_backend` says which beforehand. It is the custom
    operator `sparsetol::sparse_decode_attention`: it can be compiled, and captured in a CUDA graph and replayed after
    the tensors were changed in place. The device is never waited for by the kernels.

    A page holds `page_size` tokens of its sequence, counted from the sequence's first real one; page p holds tokens
    `p * page_size` to `(p + 1) * page_size - 1`, of which those at or past the sequence's length are left out.

    Args:
        query: `[batch, query heads, head size]`, bfloat16, float16, float32 or float64.
        key: `[batch, key heads, capacity, head size]`, of the query's dtype; query heads are a multiple of key heads.
        value: `[batch, key heads, capacity, value size]`, likewise.
        index: int32 `[batch, key heads, most]`: page numbers, each at most once, in any order.
        count: int32 `[batch, key heads]`: how many entries of each list count, at most `most`; 0 gives zeros.
        page_size: tokens of a page; 1 makes the lists lists of tokens.
        starts: int32 `[batch]`: position of each sequence's first real token (left padding before it); None for 0.
        lengths: int32 `[batch]`: real tokens of each sequence, the new one included; None for all from `starts` on.
        scale: factor on query-key products; None for `head size ** -0.5`.
        window: only the last `window` tokens of a sequence are seen; None for all.
        softcap: scores become `softcap * tanh(score / softcap)`; None for none.
        sinks: `[query heads]`: a logit that joins the softmax of each query head and has no value; None for none.

    Returns:
        The attention `[batch, query heads, value size]` in the query's dtype, and the natural logarithm of the sum of
        exponentials (sinks included), float32 `[batch, query heads]`, minus infinity where nothing is attended.

    Raises:
        InputError: a wrong shape, dtype or device. The numbers in `index`, `count`, `starts` and `lengths` are checked
            only where SPARSETOL_KERNELS_DEBUG=1, which waits for the device; without it, pages and tokens out of range
            are left out, and `count`, `starts` and `lengths` out of range are undefined behaviour.

    """
    batch, _, capacity = key.shape[:3] if key.dim() == 4 else (0, 0, 0)
    starts = torch.zeros(batch, dtype=torch.int32, device=key.device) if starts is None else starts
    lengths = capacity - starts if lengths is None else lengths
    _check(query, key, value, index, count, starts, lengths, page_size, scale, window, softcap, sinks)
    if checking_indices():
        _check_numbers(key, index, count, starts, lengths, page_size)
    scale = query.shape[2] ** -0.5 if scale is None else scale
    out: tuple[Tensor, Tensor] = torch.ops.sparsetol.sparse_decode_attention(
        query, key, value, index, count, starts, lengths, page_size, scale, window, softcap, sinks
    )
    return out


def sparse_decode_backend(query: Tensor, value: Tensor) -> Backend:
    """What `sparse_decode_attention` computes such a call with."""
    on_triton = (
        query.device.type == "cuda"
        and triton_serves(query.device)
        and query.dtype in DTYPES
        and max(query.shape[-1], value.shape[-1]) <= LARGEST_HEAD
    )
    return Backend.TRITON if on_triton else Backend.PYTORCH


def sparse_decode_attention_reference(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    index: Tensor,
    count: Tensor,
    starts: Tensor,
    lengths: Tensor,
    page_size: int,
    scale: float,
    window: int | None = None,
    softcap: float | None = None,
    sinks: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The same by definition, list by list in PyTorch; float64 inputs are computed in float64.

    Arguments and results are `sparse_decode_attention`'s.
    """
    wide = torch.float64 if query.dtype == torch.float64 else torch.float32
    batch, query_heads, _ = query.shape
    heads = key.shape[1]
    out = query.new_zeros(batch, query_heads, value.shape[3])
    lse = query.new_full((batch, query_heads), float("-inf"), dtype=torch.float32)
    inside = torch.arange(page_size, device=query.device)
    for sequence in range(batch):
        start, length = int(starts[sequence]), int(lengths[sequence])
        for head in range(heads):
            pages = index[sequence, head, : int(count[sequence, head])].long()
            tokens = (pages[:, None] * page_size + inside).flatten()
            tokens = tokens[(tokens >= 0) & (tokens < length)]
            if window is not None:
                tokens = tokens[tokens >= length - window]
            rows = slice(head * query_heads // heads, (head + 1) * query_heads // heads)
            scores = query[sequence, rows].to(wide) @ key[sequence, head, start + tokens].to(wide).T * scale
            if softcap is not None:
                scores = softcap * torch.tanh(scores / softcap)
            if sinks is not None:
                scores = torch.cat([scores, sinks[rows, None].to(wide)], dim=1)
            if scores.shape[1] == 0:
                continue
            weights = scores.softmax(dim=-1)[:, : tokens.shape[0]]
            out[sequence, rows] = (weights @ value[sequence, head, start + tokens].to(wide)).to(query.dtype)
            lse[sequence, rows] = scores.logsumexp(dim=-1).float()
    return out, lse


def _on_cuda(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    index: Tensor,
    count: Tensor,
    starts: Tensor,
    lengths: Tensor,
    page_size: int,
    scale: float,
    window: int | None,
    softcap: float | None,
    sinks: Tensor | None,
) -> tuple[Tensor, Tensor]:
    arguments = query, key, value, index, count, starts, lengths, page_size, scale, window, softcap, sinks
    if sparse_decode_backend(query, value) is Backend.PYTORCH:
        return sparse_decode_attention_reference(*arguments)
    from sparsetol_kernels.on_triton.sparse_decode import launch

    return launch(*arguments)


# The operator's arguments have these names.
def _shapes(query: Tensor, key: Tensor, value: Tensor, *_: object) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    return (
        query.new_empty((*query.shape[:2], value.shape[3])),
        query.new_empty(query.shape[:2], dtype=torch.float32),
    )


define_operator(_NAME, sparse_decode_attention_reference, _on_cuda, _shapes)


def _check(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    index: Tensor,
    count: Tensor,
    starts: Tensor,
    lengths: Tensor,
    page_size: int,
    scale: float | None,
    window: int | None,
    softcap: float | None,
    sinks: Tensor | None,
) -> None:
    require(
        (query.dim(), key.dim(), value.dim()) == (3, 4, 4),
        _NAME,
        lambda: (
            f"query, key and value have {query.dim()}, {key.dim()} and {value.dim()} dimensions; wanted "
            "[batch, query heads, head size] and twice [batch, key heads, capacity, size]"
        ),
    )
    batch, query_heads, size = query.shape
    _, heads, capacity, _ = key.shape
    require(
        (key.shape[0], key.shape[3]) == (batch, size) and heads > 0 and query_heads % max(heads, 1) == 0,
        _NAME,
        lambda: (
            f"key {tuple(key.shape)} does not fit query {tuple(query.shape)}: batch and head size must be equal, "
            "and query heads a multiple of key heads"
        ),
    )
    require(
        value.shape[:3] == key.shape[:3],
        _NAME,
        lambda: (
            f"value {tuple(value.shape)} must have as many sequences, heads and tokens as the key: "
            f"{(batch, heads, capacity)}"
        ),
    )
    require(
        index.dim() == 3 and index.shape[:2] == (batch, heads),
        _NAME,
        lambda: f"index {tuple(index.shape)} must be [batch, key heads, most] = [{batch}, {heads}, most]",
    )
    numbers = {"index": index, "count": count, "starts": starts, "lengths": lengths}
    shapes = {"count": (batch, heads), "starts": (batch,), "lengths": (batch,)}
    for name, shape in shapes.items():
        if numbers[name].shape != shape:
            raise InputError(f"{_NAME}: {name} {tuple(numbers[name].shape)} must be {shape}")
    if sinks is not None:
        require(sinks.shape == (query_heads,), _NAME, lambda: f"sinks {tuple(sinks.shape)} must be {(query_heads,)}")
    require(
        query.dtype in (*DTYPES, torch.float64),
        _NAME,
        lambda: f"query is {query.dtype}; wanted bfloat16, float16, float32 or, in PyTorch alone, float64",
    )
    for name, tensor in (("key", key), ("value", value)):
        if tensor.dtype != query.dtype:
            raise InputError(f"{_NAME}: {name} is {tensor.dtype} and query {query.dtype}")
    for name, tensor in numbers.items():
        if tensor.dtype != torch.int32:
            raise InputError(f"{_NAME}: {name} is {tensor.dtype}, must be torch.int32")
    for name, other in {"key": key, "value": value, "sinks": sinks, **numbers}.items():
        if other is not None and other.device != query.device:
            raise InputError(f"{_NAME}: {name} and query are on different devices; query is on {query.device}")
    require(page_size >= 1, _NAME, lambda: f"page_size {page_size} must be at least 1 token")
    require_scale(_NAME, scale)
    require(window is None or window >= 1, _NAME, lambda: f"window {window} must be at least 1 token, or None for all")
    require(softcap is None or softcap > 0, _NAME, lambda: f"softcap {softcap} must be above 0, or None for none")


def _check_numbers(key: Tensor, index: Tensor, count: Tensor, starts: Tensor, lengths: Tensor, page_size: int) -> None:
    check_sequences(_NAME, starts, lengths, key.shape[2], least=0)
    most = index.shape[2]
    for sequence, head in ((count < 0) | (count > most)).nonzero().tolist():
        found = int(count[sequence, head])
        raise InputError(f"{_NAME}: count[{sequence}, {head}] is {found}, must be 0 to {most}")
    counted = torch.arange(most, device=index.device) < count[..., None]
    pages = (lengths + page_size - 1) // page_size
    for sequence, head, entry in (counted & ((index < 0) | (index >= pages[:, None, None]))).nonzero().tolist():
        found = int(index[sequence, head, entry])
        raise InputError(
            f"{_NAME}: index[{sequence}, {head}, {entry}] is {found}; sequence {sequence} has pages 0 to "
            f"{int(pages[sequence]) - 1} ({int(lengths[sequence])} tokens, {page_size} a page)"
        )
    # Entries that do not count are made different from all others.
    ordered = index.where(counted, -1 - torch.arange(most, device=index.device)).sort(dim=-1).values
    for sequence, head, entry in (ordered[..., 1:] == ordered[..., :-1]).nonzero().tolist():
        raise InputError(f"{_NAME}: index[{sequence}, {head}] holds {int(ordered[sequence, head, entry])} twice")
