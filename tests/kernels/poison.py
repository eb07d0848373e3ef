"""Buffers in which nothing can be left unwritten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def poisoned() -> Iterator[None]:
    """New tensors without contents hold NaN, or the largest integer."""
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    try:
        assert torch.ones(2).new_empty(2).isnan().all()
        yield
    finally:
        torch.use_deterministic_algorithms(mode=False)
