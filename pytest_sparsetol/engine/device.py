"""Where the model runs: the CPU or a GPU, which GPU a worker of pytest-xdist takes, and what is copied there."""

from __future__ import annotations

import functools
import os

import torch
from torch import Tensor

from pytest_sparsetol.errors import MissingInputError


def choose_device(wanted: str) -> torch.device:
    """The device for `auto`, `cpu` or `cuda`; where there are several GPUs, workers take them in turn.

    Raises:
        MissingInputError: the contract asks for CUDA, and torch sees none.

    """
    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        raise MissingInputError("the contract asks for device cuda, and torch sees none here")
    if wanted == "cpu" or not found:
        return torch.device("cpu")
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        torch.cuda.set_device(int(worker.removeprefix("gw")) % torch.cuda.device_count())
    return torch.device("cuda")


@functools.lru_cache(maxsize=8)
def on_device(device: torch.device, *numbers: tuple[int, ...]) -> Tensor:
    """Numbers of each sequence as int32 `[tuples, batch]` on the device, copied once for all layers of a step."""
    return torch.tensor(numbers, dtype=torch.int32).to(device, non_blocking=True)
