"""Kernels need a CUDA device or Triton's interpreter, which must be chosen before Triton is imported."""

from __future__ import annotations

import os

import pytest
import torch


@pytest.fixture
def kernel_device() -> torch.device:
    """Where kernels run in this process."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs a kernel where none can run; `test_interpreter.py` runs these in a process of its own."""
    if torch.cuda.is_available() or os.environ.get("TRITON_INTERPRET") == "1":
        return
    out = [item for item in items if "kernel_device" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=out)
    left_out = set(out)
    items[:] = [item for item in items if item not in left_out]
