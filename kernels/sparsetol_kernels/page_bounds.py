"""Channel-wise minimum and maximum of the keys of each page of a batch's caches."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.backend import checking_indices, triton_serves
from sparsetol_kernels.custom_operator import define_operator
from sparsetol_kernels.errors import InputError, require
from sparsetol_kernels.sequences import check_sequences

_NAME = "update_page_bounds"


def update_page_bounds(
    low: Tensor, high: Tensor, key: Tensor, starts: Tensor, lengths: Tensor, new: int, page_size: int
) -> None:
    """Write the bounds of the pages that the last `new` tokens of each sequence lie in; other pages stay as they are.

    Call it after every append, or once for many tokens, a whole prompt for example. A page's bounds are computed from
    all its tokens in the cache, so that a call may be repeated; those of the last page, which may not be full, cover
    the tokens that it has. Triton on CUDA, PyTorch elsewhere; the custom operator `sparsetol::update_page_bounds`.

    Source: Tang et al. 2024 (Quest), arXiv 2406.10774, section 3.3.

    Args:
        low: `[batch, key heads, pages, head size]`, in the key's dtype, written in place; room for every page.
        high: likewise.
        key: `[batch, key heads, capacity, head size]`, the cache.
        starts: int32 `[batch]`: position of each sequence's first real token.
        lengths: int32 `[batch]`: real tokens of each sequence, the new ones included.
        new: how many of the last tokens are new; at least 1. More than a sequence has means all of it.
        page_size: tokens of a page.

    Raises:
        InputError: a wrong shape, dtype or device; `starts` and `lengths` out of range only where
            SPARSETOL_KERNELS_DEBUG=1, which waits for the device, and undefined behaviour without it.

    """
    check_bounds(_NAME, low, high, key, starts, lengths, page_size)
    require(new >= 1, _NAME, lambda: f"new {new} must be at least 1 token")
    if checking_indices():
        check_sequences(_NAME, starts, lengths, key.shape[2], least=0)
    torch.ops.sparsetol.update_page_bounds(low, high, key, starts, lengths, new, page_size)


def update_page_bounds_reference(
    low: Tensor, high: Tensor, key: Tensor, starts: Tensor, lengths: Tensor, new: int, page_size: int
) -> None:
    """The same by definition, page by page in PyTorch."""
    for sequence, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        for page in range(max(0, length - new) // page_size, -(-length // page_size)):
            tokens = slice(start + page * page_size, start + min(length, (page + 1) * page_size))
            low[sequence, :, page] = key[sequence, :, tokens].amin(dim=1)
            high[sequence, :, page] = key[sequence, :, tokens].amax(dim=1)


def _on_cuda(low: Tensor, high: Tensor, key: Tensor, starts: Tensor, lengths: Tensor, new: int, page_size: int) -> None:
    if not triton_serves(key.device):
        update_page_bounds_reference(low, high, key, starts, lengths, new, page_size)
        return
    from sparsetol_kernels.on_triton.page_bounds import launch

    launch(key, low, high, starts, lengths, new, page_size)


define_operator(_NAME, update_page_bounds_reference, _on_cuda, lambda *_: None, mutates=("low", "high"))


def check_bounds(
    operation: str, low: Tensor, high: Tensor, key: Tensor, starts: Tensor, lengths: Tensor, page_size: int
) -> None:
    """Raise `InputError` where the bounds do not fit the cache."""
    require(page_size >= 1, operation, lambda: f"page_size {page_size} must be at least 1 token")
    require(
        key.dim() == 4, operation, lambda: f"key {tuple(key.shape)} must be [batch, key heads, capacity, head size]"
    )
    batch, heads, capacity, size = key.shape
    pages = -(-capacity // page_size)
    for name, tensor in (("low", low), ("high", high)):
        fits = tensor.dim() == 4 and tensor.shape[2] >= pages
        if not fits or (*tensor.shape[:2], tensor.shape[3]) != (batch, heads, size):
            wanted = f"{(batch, heads, pages, size)}, or with more pages"
            raise InputError(f"{operation}: {name} {tuple(tensor.shape)} must be {wanted}")
        if tensor.dtype != key.dtype:
            raise InputError(f"{operation}: {name} is {tensor.dtype} and key {key.dtype}")
    require(
        low.stride() == high.stride(),
        operation,
        lambda: f"low and high must have equal strides, not {low.stride()} and {high.stride()}",
    )
    for name, tensor in (("starts", starts), ("lengths", lengths)):
        if tensor.shape != (batch,) or tensor.dtype != torch.int32:
            found = f"{name} is {tensor.dtype} {tuple(tensor.shape)}"
            raise InputError(f"{operation}: {found}, must be torch.int32 ({batch},)")
    for name, tensor in (("low", low), ("high", high), ("starts", starts), ("lengths", lengths)):
        if tensor.device != key.device:
            raise InputError(f"{operation}: {name} and key are on different devices; key is on {key.device}")
