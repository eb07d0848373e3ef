"""How many lines of a layer fit: by definition against trying each number, in Triton against the definition."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.errors import BackendError, InputError
from sparsetol_kernels.layer_budget import layer_lines_that_fit
from sparsetol_kernels.lines import attended_and_loaded
from torch import Tensor

SHAPES = {
    "one token": (2, 1, 16),
    "within a row block": (2, 13, 16),
    "odd length": (3, 45, 16),
    "last block full": (1, 64, 32),
    "last block of one": (2, 65, 16),
    "blocks of 64": (1, 150, 64),
    "more than a tile of row blocks": (1, 2_070, 16),
}


def ranks(heads: int, length: int, seed: int) -> tuple[Tensor, Tensor]:
    """Columns and diagonals in one random order."""
    order = torch.randperm(2 * heads * length, generator=torch.Generator().manual_seed(seed)).int()
    columns, slashes = order.view(2, heads, length)
    return columns, slashes


def pairs(heads: int, length: int, share: float) -> int:
    return int(share * heads * length * (length + 1) / 2)


@pytest.mark.parametrize("least", [0, 11])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
def test_by_definition(share: float, least: int) -> None:
    heads, length, block = 2, 21, 8
    columns, slashes = ranks(heads, length, 1)
    budget = pairs(heads, length, share)

    lines, wider = layer_lines_that_fit(columns, slashes, budget, torch.tensor(least), block, backend=Backend.PYTORCH)

    def held(along: int, across: int) -> int:
        return int(attended_and_loaded(slashes < along, columns < across, block)[0].sum())

    every = 2 * heads * length
    assert lines == max(least, *(n for n in range(every + 1) if held(n, n) <= budget))
    assert wider == max([int(lines), *(n for n in range(int(lines), every + 1) if held(int(lines), n) <= budget)])


@pytest.mark.parametrize(("share", "least"), [(0.0, 11), (0.1, 0), (0.4, 11), (1.0, 0)])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_triton(shape: tuple[int, int, int], share: float, least: int, kernel_device: torch.device) -> None:
    heads, length, block = shape
    columns, slashes = ranks(heads, length, 2)
    budget, least_lines = pairs(heads, length, share), torch.tensor(least)
    expected = layer_lines_that_fit(columns, slashes, budget, least_lines, block, backend=Backend.PYTORCH)

    found = layer_lines_that_fit(
        columns.to(kernel_device), slashes.to(kernel_device), budget, least_lines.to(kernel_device), block,
        backend=Backend.TRITON,
    )  # fmt: skip

    assert [part.item() for part in found] == [part.item() for part in expected]


def test_triton_takes_ties_together(kernel_device: torch.device) -> None:
    columns, slashes = (part // 7 for part in ranks(2, 45, 4))
    none = torch.tensor(0)
    expected = layer_lines_that_fit(columns, slashes, 700, none, 16, backend=Backend.PYTORCH)

    found = layer_lines_that_fit(
        columns.to(kernel_device), slashes.to(kernel_device), 700, none.to(kernel_device), 16, backend=Backend.TRITON
    )

    assert [part.item() for part in found] == [part.item() for part in expected]


def test_what_the_kernel_does_not_take_is_refused(kernel_device: torch.device) -> None:
    columns, slashes = (part.to(kernel_device) for part in ranks(1, 7, 1))
    none = torch.tensor(0, device=kernel_device)

    with pytest.raises(BackendError, match="triton does not take row blocks of 8 and 7 tokens on "):
        layer_lines_that_fit(columns, slashes, 10, none, 8, backend=Backend.TRITON)
    with pytest.raises(InputError, match=r"ranks are torch\.int64 and torch\.int32"):
        layer_lines_that_fit(columns.long(), slashes, 10, none, 16)
    with pytest.raises(InputError, match=r"least is torch\.int32; wanted int64"):
        layer_lines_that_fit(columns, slashes, 10, none.int(), 16)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("length", [4_097, 131_072])
def test_triton_on_long_prompts(length: int) -> None:
    columns, slashes = (part.cuda() for part in ranks(4, length, 3))
    budget, least = pairs(4, length, 0.1), torch.tensor(600, device="cuda")

    found = layer_lines_that_fit(columns, slashes, budget, least, 64, backend=Backend.TRITON)

    expected = layer_lines_that_fit(columns, slashes, budget, least, 64, backend=Backend.PYTORCH)
    assert [part.item() for part in found] == [part.item() for part in expected]
