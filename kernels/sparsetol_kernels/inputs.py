"""What every attention over a whole prompt asks of its tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.errors import require, require_alike, require_shape, require_type


def check_prompt(operation: str, query: Tensor, key: Tensor, value: Tensor) -> None:
    """Raise `InputError` unless queries, keys and values of `[batch, heads, length, size]` fit each other."""
    require(
        query.dim() == 4, operation, f"query has {query.dim()} dimensions; wanted [batch, query heads, length, size]"
    )
    batch, heads, length, size = query.shape
    wanted = f"[batch {batch}, key heads, length {length}, "
    require_shape(operation, "key", key, (batch, None, length, size), f"{wanted}head size {size}], as the query's")
    key_heads = key.shape[1]
    require_shape(operation, "value", value, (batch, key_heads, length, None), f"{wanted}value size], as the key's")
    require(
        key_heads > 0 and heads % key_heads == 0,
        operation, f"{heads} query heads must be a multiple of the {key_heads} key heads",
    )  # fmt: skip
    require(length > 0 and batch > 0, operation, f"batch {batch} and length {length} must be at least 1")
    require_alike(operation, "query, key and value", query, key, value)
    require(query.is_floating_point(), operation, f"query is {query.dtype}; wanted bfloat16, float16 or float32")


def check_scores(operation: str, query: Tensor, softcap: float | None, sinks: Tensor | None) -> None:
    """Raise `InputError` unless the soft-cap is one, and the sinks are one for each query head on its device."""
    require(softcap is None or softcap > 0, operation, f"softcap {softcap} must be above 0")
    if sinks is not None:
        heads = query.shape[1]
        require_shape(operation, "sinks", sinks, (heads,), f"[query heads {heads}]")
        require(sinks.device == query.device, operation, f"sinks are on {sinks.device}; wanted {query.device}")


def check_lines(operation: str, names: tuple[str, str], columns: Tensor, slashes: Tensor, dtype: torch.dtype) -> None:
    """Raise `InputError` unless these say something of `dtype` of each column and each diagonal of some heads."""
    require_shape(operation, names[0], columns, (None, None), "[heads, length]")
    require_shape(operation, names[1], slashes, tuple(columns.shape), f"{list(columns.shape)}")
    for name, lines in zip(names, (columns, slashes), strict=True):
        require_type(operation, name, lines, dtype, columns.device)


def rows_contiguous(tensor: Tensor) -> Tensor:
    """The tensor, copied only where its last dimension is not contiguous."""
    return tensor if tensor.stride(3) == 1 else tensor.contiguous()


def fits_tma(tensor: Tensor) -> bool:
    """Whether the tensor memory accelerator can address it: rows contiguous, all else in steps of 16 bytes."""
    steps = [stride * tensor.element_size() for stride in tensor.stride()[:3]]
    return tensor.stride(3) == 1 and tensor.data_ptr() % 16 == 0 and all(step > 0 and step % 16 == 0 for step in steps)
