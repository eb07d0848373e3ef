"""Kernels need a CUDA device or Triton's interpreter, which must be chosen before Triton is imported."""

from __future__ import annotations

import os

import pytest
import torch


@pytest.fixture
def kernel_device() -> torch.device:
    """Where kernels run in this process."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(params=[1, 1 << 40], ids=["by descriptors", "by pointers"])
def loads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How queries, keys and values are loaded, where both ways are possible; else it depends on the prompt's length."""
    from sparsetol_kernels.on_triton import descriptors

    monkeypatch.setattr(descriptors, "LEAST_ROWS", request.param)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs a kernel where none can run; `test_interpreter.py` runs these in a process of its own."""
    kernels = [item for item in items if "kernel_device" in getattr(item, "fixturenames", ())]
    if torch.cuda.is_available():
        # Before `-m gpu` selects.
        for item in kernels:
            item.add_marker(pytest.mark.gpu)
    elif os.environ.get("TRITON_INTERPRET") != "1":
        config.hook.pytest_deselected(items=kernels)
        left_out = set(kernels)
        items[:] = [item for item in items if item not in left_out]
