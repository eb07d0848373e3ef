"""What scores of a prompt's last queries ask of their tensors."""

from __future__ import annotations

from torch import Tensor

from sparsetol_kernels.errors import require, require_alike, require_scale, require_shape


def check_last_queries(operation: str, query: Tensor, key: Tensor, scale: float, window: int) -> None:
    """Raise `InputError` unless queries and keys of `[heads, length, size]` fit each other and a window is one."""
    require_shape(operation, "query", query, (None, None, None), "[query heads, length, head size]")
    heads, length, size = query.shape
    require_shape(
        operation, "key", key, (None, length, size), f"[key heads, length {length}, head size {size}], as the query's"
    )
    key_heads = key.shape[0]
    require(min(heads, length, size) > 0, operation, lambda: f"query has shape {list(query.shape)}; none may be 0")
    require(
        key_heads > 0 and heads % key_heads == 0,
        operation,
        lambda: f"{heads} query heads must be a multiple of the {key_heads} key heads",
    )
    require_alike(operation, "query and key", query, key)
    require(
        query.is_floating_point(),
        operation,
        lambda: f"query is {query.dtype}; wanted bfloat16, float16 or float32",
    )
    require_scale(operation, scale)
    require(window >= 1, operation, lambda: f"window {window} must be at least 1 query")
