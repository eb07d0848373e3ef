"""Errors of the operations: what was given, where, and what would be right."""

from __future__ import annotations

from torch import Tensor


class KernelError(Exception):
    """Base of all errors of this package."""


class InputError(KernelError, ValueError):
    """A tensor or a parameter that an operation does not take; nothing was computed."""


class BackendError(KernelError, RuntimeError):
    """A backend was asked for by name that cannot compute the call here."""


def require(condition: bool, operation: str, message: str) -> None:
    """Raise `InputError` naming the operation unless `condition` holds."""
    if not condition:
        raise InputError(f"{operation}: {message}")


def require_shape(operation: str, name: str, tensor: Tensor, shape: tuple[int | None, ...], wanted: str) -> None:
    """Raise `InputError` unless `tensor` has `shape`; None stands for any size, `wanted` says it in words."""
    fits = tensor.dim() == len(shape) and all(
        want is None or got == want for got, want in zip(tensor.shape, shape, strict=True)
    )
    require(fits, operation, f"{name} has shape {list(tensor.shape)}; wanted {wanted}")


def require_alike(operation: str, names: str, *tensors: Tensor) -> None:
    """Raise `InputError` unless all tensors have one dtype and lie on one device."""
    kinds = sorted({f"{str(tensor.dtype).removeprefix('torch.')} on {tensor.device}" for tensor in tensors})
    require(len(kinds) == 1, operation, f"{names} must share one dtype and device; got {', '.join(kinds)}")
