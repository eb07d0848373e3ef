"""Sparse attention of one prompt by the kernel that is made for its selection, or by definition."""

from __future__ import annotations

from sparsetol_kernels.attention import Scoring, key_sparse_attention
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.block_sparse_attention import block_sparse_attention, block_sparse_backend
from sparsetol_kernels.selection import BlockSelection, LineSelection, PrefillSelection
from sparsetol_kernels.vertical_slash_attention import vertical_slash_attention, vertical_slash_backend
from torch import Tensor


def attend(
    query: Tensor, key: Tensor, value: Tensor, selection: PrefillSelection, scoring: Scoring
) -> tuple[Tensor, Backend]:
    """Attention of one unpadded sequence over what was selected, and what computed it.

    Args:
        query: `[query heads, length, head size]`.
        key: `[key heads, length, head size]`; query heads are a multiple of key heads.
        value: `[key heads, length, value size]`.
        selection: keys of each query head and row block.
        scoring: scale, window, soft-cap and sinks.

    Returns:
        `[query heads, length, value size]` in the query's dtype.

    """
    q, k, v = query[None], key[None], value[None]
    scale, softcap, sinks = scoring.scale, scoring.softcap, scoring.sinks
    windowed = scoring.window is not None and scoring.window < key.shape[1]
    if isinstance(selection, BlockSelection) and not windowed:
        block = selection.block
        backend = block_sparse_backend(q, k, v, block, softcap=softcap, sinks=sinks)
        if backend is not Backend.PYTORCH:
            out, _ = block_sparse_attention(
                q, k, v, selection.index[None], selection.count[None],
                block=block, scale=scale, softcap=softcap, sinks=sinks, backend=backend,
            )  # fmt: skip
            return out[0], backend
    if isinstance(selection, LineSelection) and not windowed:
        block = selection.block
        backend = vertical_slash_backend(q, k, v, block)
        if backend is not Backend.PYTORCH:
            out, _ = vertical_slash_attention(
                q, k, v, selection.columns[None], selection.slashes[None],
                block=block, scale=scale, softcap=softcap, sinks=sinks, backend=backend,
            )  # fmt: skip
            return out[0], backend
    return key_sparse_attention(query, key, value, selection, scoring), Backend.PYTORCH
