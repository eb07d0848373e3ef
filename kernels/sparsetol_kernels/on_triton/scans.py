"""Running extremes along an axis, for kernels."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _larger(one, other):
    return tl.maximum(one, other)


@triton.jit
def _smaller(one, other):
    return tl.minimum(one, other)


@triton.jit
def running_max(values, axis: tl.constexpr, reverse: tl.constexpr = False):
    """The largest value up to each one, or from each one on."""
    return tl.associative_scan(values, axis, _larger, reverse=reverse)


@triton.jit
def running_min(values, axis: tl.constexpr, reverse: tl.constexpr = False):
    """The smallest value up to each one, or from each one on."""
    return tl.associative_scan(values, axis, _smaller, reverse=reverse)
