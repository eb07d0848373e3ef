"""Rows of queries, keys and values, as the tensor memory accelerator finds them."""

from __future__ import annotations

import torch
import triton
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from sparsetol_kernels.backend import capability_of
from sparsetol_kernels.inputs import fits_tma

LEAST_ROWS = 16384
"""Shorter prompts are loaded by pointers: a launch with descriptors takes the host longer than it saves the device."""


def described(tensor: Tensor, rows: int, heads: int = 1) -> TensorDescriptor | None:
    """How to load so many rows of some heads of `[batch, heads, length, size]` at once; None where pointers are faster.

    Rows before the first and after the last read zero, and so do channels up to the next power of two.
    """
    if tensor.shape[2] < LEAST_ROWS or tensor.dtype == torch.float32 or capability_of(tensor.device) < (9, 0):
        return None
    if not fits_tma(tensor):
        return None
    box = [1, heads, rows, triton.next_power_of_2(tensor.shape[3])]
    return TensorDescriptor(tensor, list(tensor.shape), list(tensor.stride()), box)
