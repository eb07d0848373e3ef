"""Attention by definition in PyTorch: dense, over selected keys in prefill, over selected tokens in decoding.

Each function works on one sequence of one layer and computes in float32 (float64 for float64 inputs), with every
extra that models of the transformers library pass to their attention: a sliding window, a soft-cap and sinks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sparsetol_kernels.selection import PrefillSelection, TokenSelection

ROWS_AT_ONCE = 256
"""Query rows of one slice of dense attention: bounds the score matrix to 256 x length for each head."""


@dataclass(frozen=True)
class Scoring:
    """How query-key products become weights.

    Attributes:
        scale: factor on the products.
        window: a query sees itself and the `window` - 1 tokens before it; None for all.
        softcap: scores become `softcap * tanh(score / softcap)`; None for none.
        sinks: a logit for each query head that joins the softmax and has no value, `[query heads]`; None for none.

    """

    scale: float
    window: int | None = None
    softcap: float | None = None
    sinks: Tensor | None = None


def dense_attention(query: Tensor, key: Tensor, value: Tensor, scoring: Scoring) -> Tensor:
    """Causal attention; the queries are the last of the sequence.

    Args:
        query: `[query heads, queries, head size]`.
        key: `[key heads, length, head size]`, length at least queries; query heads are a multiple of key heads.
        value: `[key heads, length, value size]`.
        scoring: scale, window, soft-cap and sinks.

    Returns:
        `[query heads, queries, value size]` in the query's dtype.

    """
    heads, queries, _ = query.shape
    length = key.shape[1]
    position = torch.arange(length, device=query.device)
    out = query.new_empty(heads, queries, value.shape[2])
    for start in range(0, queries, ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, queries))
        row = position[length - queries :][rows]
        last = int(length - queries + rows.stop)
        first = 0 if scoring.window is None else max(0, last - (rows.stop - rows.start) - scoring.window + 1)
        seen = _visible(row[:, None], position[None, first:last], scoring.window)
        out[:, rows] = _attend(query[:, rows], key[:, first:last], value[:, first:last], seen, scoring)
    return out


def key_sparse_attention(
    query: Tensor, key: Tensor, value: Tensor, selection: PrefillSelection, scoring: Scoring
) -> Tensor:
    """Causal attention of each block of query rows over the keys selected for it, and over no others.

    Args:
        query: `[query heads, length, head size]`.
        key: `[key heads, length, head size]`.
        value: `[key heads, length, value size]`.
        selection: keys of each query head and row block.
        scoring: scale, window, soft-cap and sinks.

    Returns:
        `[query heads, length, value size]` in the query's dtype; zeros where a query has no key.

    """
    heads, length, _ = query.shape
    group = heads // key.shape[0]
    owner = torch.arange(heads, device=query.device)[:, None] // group
    out = query.new_empty(heads, length, value.shape[2])
    keys = selection.keys
    for number, start in enumerate(range(0, length, selection.block)):
        rows = slice(start, min(start + selection.block, length))
        chosen = keys[:, number, : rows.stop]
        count = chosen.sum(dim=-1)
        # Chosen keys first, in order; the tail of a head with fewer of them is masked.
        index = torch.sort(chosen.byte(), dim=-1, descending=True, stable=True).indices[:, : int(count.max())]
        real = torch.arange(index.shape[1], device=query.device) < count[:, None]
        row = torch.arange(rows.start, rows.stop, device=query.device)
        seen = _visible(row[None, :, None], index[:, None, :], scoring.window) & real[:, None, :]
        out[:, rows] = _attend(query[:, rows], key[owner, index], value[owner, index], seen, scoring)
    return out


def token_sparse_attention(
    query: Tensor, key: Tensor, value: Tensor, selection: TokenSelection, scoring: Scoring
) -> Tensor:
    """Attention of one new token over the cached tokens selected for each key head.

    Args:
        query: `[query heads, head size]`.
        key: `[key heads, length, head size]`, the new token last.
        value: `[key heads, length, value size]`.
        selection: tokens of each key head.
        scoring: scale, window, soft-cap and sinks.

    Returns:
        `[query heads, value size]` in the query's dtype; zeros where nothing is selected.

    """
    heads, length = key.shape[:2]
    index = selection.tokens
    real = torch.arange(index.shape[1], device=query.device) < selection.count[:, None]
    seen = _visible(torch.full_like(index, length - 1), index, scoring.window) & real
    owner = torch.arange(heads, device=query.device)[:, None]
    # Padding points at the new token, which is always whole: any other may be one that the cache gave up.
    index = index.where(real, length - 1)
    # Each group of query heads becomes the rows of its key head.
    out = _attend(
        query.reshape(heads, -1, query.shape[1]),
        key[owner, index],
        value[owner, index],
        seen[:, None, :],
        scoring,
    )
    return out.flatten(0, 1)


def _visible(query: Tensor, key: Tensor, window: int | None) -> Tensor:
    causal = key <= query
    return causal if window is None else causal & (key > query - window)


def _attend(query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scoring: Scoring) -> Tensor:
    return attend_with_log_sum(query, key, value, seen, scoring)[0]


def attend_with_log_sum(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scoring: Scoring
) -> tuple[Tensor, Tensor]:
    """Softmax attention of `[heads, rows, size]` queries over the keys that `seen` (broadcastable) lets through.

    `heads` of the key may divide `heads` of the query; sinks belong to query heads in order, of which each row of a
    decode call is one.

    Returns:
        `[heads, rows, value size]` in the query's dtype, and the natural logarithm of each row's denominator,
        `[heads, rows]`: zeros and -inf where a row sees no key.

    """
    wide = torch.float64 if query.dtype == torch.float64 else torch.float32
    heads, rows, _ = query.shape
    if key.shape[1] == 0:
        sums = query.new_full((heads, rows), float("-inf"), dtype=wide)
        if scoring.sinks is not None:
            sums = sums.maximum(scoring.sinks.to(wide).view(heads, -1))
        return query.new_zeros(heads, rows, value.shape[2]), sums
    group = heads // key.shape[0]
    stacked = query.to(wide).reshape(heads // group, group * rows, -1)
    scores = (stacked @ key.to(wide).transpose(1, 2) * scoring.scale).view(heads, rows, -1)
    if scoring.softcap is not None:
        scores = scoring.softcap * torch.tanh(scores / scoring.softcap)
    scores = scores.masked_fill(~seen, float("-inf"))
    peak = scores.amax(dim=-1, keepdim=True)
    if scoring.sinks is not None:
        sink = scoring.sinks.to(wide).view(heads, -1, 1)
        peak = torch.maximum(peak, sink)
    peak = peak.clamp(min=torch.finfo(wide).min)
    weights = torch.exp(scores - peak)
    total = weights.sum(dim=-1, keepdim=True)
    if scoring.sinks is not None:
        total = total + torch.exp(sink - peak)
    sums = (peak + total.log()).squeeze(-1)
    weights = weights / total.clamp(min=torch.finfo(wide).tiny)
    stacked = weights.reshape(heads // group, group * rows, -1)
    out: Tensor = (stacked @ value.to(wide)).view(heads, rows, -1)
    return out.to(query.dtype), sums
