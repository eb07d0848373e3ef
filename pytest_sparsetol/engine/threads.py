"""Cores shared between the workers of pytest-xdist."""

from __future__ import annotations

import os

import torch


def share_cores() -> None:
    """Give this process its share of the threads: as many a worker as cores would make all of them slow."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // workers))
