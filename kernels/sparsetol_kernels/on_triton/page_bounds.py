"""Triton kernel of page bounds."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def bound_pages(
    key, low, high, pages, some, length,
    key_token, key_size, bound_page, bound_size,
    SIZE: tl.constexpr, PADDED: tl.constexpr, PAGE: tl.constexpr,
):  # fmt: skip
    """Write the bounds of `pages`, where `some`; pointers are one sequence's and head's, at its first real token."""
    inner = tl.arange(0, PADDED)
    inside = some[:, None] & (inner < SIZE)[None, :]
    least = tl.full([pages.shape[0], PADDED], float("inf"), tl.float32)
    most = tl.full([pages.shape[0], PADDED], float("-inf"), tl.float32)
    for number in tl.range(0, PAGE):
        token = pages * PAGE + number
        live = inside & (token < length)[:, None]
        k = tl.load(key + token[:, None].to(tl.int64) * key_token + inner[None, :] * key_size, mask=live, other=0.0)
        k = k.to(tl.float32)
        least = tl.minimum(least, tl.where(live, k, float("inf")))
        most = tl.maximum(most, tl.where(live, k, float("-inf")))
    at = pages[:, None].to(tl.int64) * bound_page + inner[None, :] * bound_size
    tl.store(low + at, least.to(low.dtype.element_ty), mask=inside)
    tl.store(high + at, most.to(high.dtype.element_ty), mask=inside)


@triton.jit
def bound_last_pages(
    key, low, high, starts, lengths, new,
    key_batch, key_head, key_token, key_size,
    bound_batch, bound_head, bound_page, bound_size,
    SIZE: tl.constexpr, PADDED: tl.constexpr, PAGE: tl.constexpr, PAGES: tl.constexpr,
):  # fmt: skip
    """Bounds of the pages that the last `new` tokens of a sequence lie in."""
    head, batch = tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    length = tl.load(lengths + batch)
    pages = tl.maximum(length - new, 0) // PAGE + tl.program_id(0) * PAGES + tl.arange(0, PAGES)
    key += batch * key_batch + head * key_head + tl.load(starts + batch).to(tl.int64) * key_token
    low += batch * bound_batch + head * bound_head
    high += batch * bound_batch + head * bound_head
    bound_pages(
        key, low, high, pages, pages * PAGE < length, length,
        key_token, key_size, bound_page, bound_size, SIZE, PADDED, PAGE,
    )  # fmt: skip


def launch(key: Tensor, low: Tensor, high: Tensor, starts: Tensor, lengths: Tensor, new: int, page_size: int) -> None:
    """Run it; arguments are `update_page_bounds`'s, already checked, and the strides of `low` and `high` are equal."""
    batch, heads, _, size = key.shape
    pages = 8
    touched = min((new + page_size - 2) // page_size + 1, low.shape[2])
    bound_last_pages[(triton.cdiv(touched, pages), heads, batch)](
        key, low, high, starts, lengths, new, *key.stride(), *low.stride(),
        SIZE=size, PADDED=triton.next_power_of_2(size), PAGE=page_size, PAGES=pages, num_warps=4,
    )  # fmt: skip
