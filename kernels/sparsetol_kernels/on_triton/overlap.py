"""Programmatic dependent launch: programs of one kernel start while the last ones of the kernel before it still run.

On compute capability 9.0 and newer this hides most of the gap between kernels of a few microseconds each. A kernel that
is launched with `options` must call `wait` before it reads or writes anything that an earlier kernel touches.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import triton
import triton.language as tl

OVERLAP = False
"""Whether kernels overlap on devices that can."""


@triton.jit
def let_next_start(OVERLAP: tl.constexpr):
    """The next kernel's programs may take what room there is."""
    if OVERLAP:
        tl.extra.cuda.gdc_launch_dependents()


@triton.jit
def wait(OVERLAP: tl.constexpr):
    """Until the kernel before has ended and what it wrote can be read."""
    if OVERLAP:
        tl.extra.cuda.gdc_wait()


def options(device: torch.device) -> dict[str, Any]:
    """Launch options of a kernel that follows one of ours; empty where kernels do not overlap."""
    return {"launch_pdl": True} if overlaps(device) else {}


def overlaps(device: torch.device) -> bool:
    """Whether kernels overlap on this device."""
    return OVERLAP and device.type == "cuda" and _major(device) >= 9


@cache
def _major(device: torch.device) -> int:
    return torch.cuda.get_device_capability(device)[0]
