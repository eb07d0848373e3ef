"""Errors of the operations: what was given, where, and what would be right."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


class KernelError(Exception):
    """Base of all errors of this package."""


class InputError(KernelError, ValueError):
    """A tensor or a parameter that an operation does not take; nothing was computed."""


class BackendError(KernelError, RuntimeError):
    """A backend was asked for by name that cannot compute the call here."""


def require(condition: bool, operation: str, message: str | Callable[[], str]) -> None:
    """Raise `InputError` naming the operation unless `condition` holds.

    A message that is put together is given as a function, so that calls in order do not pay for it.
    """
    if not condition:
        raise InputError(f"{operation}: {message if isinstance(message, str) else message()}")


def require_scale(operation: str, scale: float | None) -> None:
    """Raise `InputError` unless the factor on products is one; None stands for an operation's own."""
    require(scale is None or 0 < scale < math.inf, operation, lambda: f"scale {scale} must be above 0 and finite")


def require_shape(operation: str, name: str, tensor: Tensor, shape: tuple[int | None, ...], wanted: str) -> None:
    """Raise `InputError` unless `tensor` has `shape`; None stands for any size, `wanted` says it in words."""
    fits = tensor.dim() == len(shape) and all(
        want is None or got == want for got, want in zip(tensor.shape, shape, strict=True)
    )
    if not fits:
        raise InputError(f"{operation}: {name} has shape {list(tensor.shape)}; wanted {wanted}")


def require_type(operation: str, name: str, tensor: Tensor, dtype: torch.dtype, device: torch.device) -> None:
    """Raise `InputError` unless `tensor` is of `dtype` and lies on `device`."""
    if tensor.dtype != dtype or tensor.device != device:
        wanted = f"{str(dtype).removeprefix('torch.')} on {device}"
        raise InputError(f"{operation}: {name} is {tensor.dtype} on {tensor.device}; wanted {wanted}")


def require_alike(operation: str, names: str, *tensors: Tensor) -> None:
    """Raise `InputError` unless all tensors have one dtype and lie on one device."""
    if any(tensor.dtype != tensors[0].dtype or tensor.device != tensors[0].device for tensor in tensors):
        kinds = sorted({f"{str(tensor.dtype).removeprefix('torch.')} on {tensor.device}" for tensor in tensors})
        raise InputError(f"{operation}: {names} must share one dtype and device; got {', '.join(kinds)}")
