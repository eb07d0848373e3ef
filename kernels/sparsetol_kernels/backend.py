"""What computes an operation here: Gluon on Hopper, plain Triton, or PyTorch by definition.

Each operation has a function that names its backend from the call alone, before anything is computed, so that a report
can say what ran. No backend is tried and given up on: one that is named and fails raises.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from importlib import metadata

import torch

from sparsetol_kernels.errors import BackendError

LEAST_CAPABILITY = (8, 0)
"""Compute capability from which the Triton kernels run."""

LEAST_TRITON = (3, 6)
"""Triton release (major, minor) from which they do; PyTorch computes with an older one."""

GLUON_TRITONS = ((3, 6), (3, 7), (3, 9))
"""Triton releases (major, minor) with whose Gluon the Hopper kernels compile; others get plain Triton.

Gluon is experimental and changes between releases: add one when `tests/kernels/test_compile.py` passes on it.
"""


class Backend(StrEnum):
    """Names as reports show them, fastest first."""

    GLUON = "gluon"
    TRITON = "triton"
    PYTORCH = "pytorch"


def choose_backend(
    operation: str, asked: Backend | None, takes: Mapping[Backend, bool], call: Callable[[], str]
) -> Backend:
    """The backend that is asked for; without one, the first that takes the call, which `call()` says in words.

    Raises `BackendError` where the one that is asked for does not take it.
    """
    if asked is not None and not takes.get(asked, False):
        raise BackendError(f"{operation}: {asked} does not take {call()}")
    return asked or next(backend for backend, able in takes.items() if able)


def interpreting() -> bool:
    """Whether Triton runs its kernels in its interpreter, on any device."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def checking_indices() -> bool:
    """Whether operations read their index tensors back to the host and refuse entries that are out of range.

    It costs a synchronisation a call and is meant for debugging; the environment variable SPARSETOL_KERNELS_DEBUG=1
    turns it on. Without it, indices that are out of range are left out where an operation says so, and undefined
    elsewhere.
    """
    return os.environ.get("SPARSETOL_KERNELS_DEBUG") == "1"


@functools.cache
def triton_version() -> tuple[int, int] | None:
    """Major and minor version of the installed Triton; None where it cannot be imported."""
    if importlib.util.find_spec("triton") is None:
        return None
    try:
        version = metadata.version("triton")
    except metadata.PackageNotFoundError:
        import triton

        version = triton.__version__
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def triton_serves(device: torch.device) -> bool:
    """Whether plain Triton kernels run on `device` with the installed Triton."""
    if (triton_version() or (0, 0)) < LEAST_TRITON:
        return False
    if interpreting():
        return True
    return device.type == "cuda" and capability_of(device) >= LEAST_CAPABILITY


def gluon_serves(device: torch.device) -> bool:
    """Whether the Hopper kernels run on `device` with the installed Triton."""
    if interpreting() or device.type != "cuda" or triton_version() not in GLUON_TRITONS:
        return False
    return capability_of(device)[0] == 9


@functools.cache
def capability_of(device: torch.device) -> tuple[int, int]:
    """Compute capability of a CUDA device; 9.0 of others, where the interpreter runs what Hopper would."""
    return torch.cuda.get_device_capability(device) if device.type == "cuda" else (9, 0)
