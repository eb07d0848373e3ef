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


def ranks(heads: int, length: int, seed: int, forced: int = 0) -> tuple[Tensor, Tensor]:
    """Columns and diagonals in one random order, which leaves two of three numbers out; the first ones are forced."""
    order = torch.randperm(2 * heads * length, generator=torch.Generator().manual_seed(seed)).int()
    columns, slashes = torch.where(order < forced, -1, 3 * order + 1).view(2, heads, length)
    return columns, slashes


def pairs(heads: int, length: int, share: float) -> int:
    return int(share * heads * length * (length + 1) / 2)


@pytest.mark.parametrize("forced", [0, 11])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
def test_by_definition(share: float, forced: int) -> None:
    heads, length, block = 2, 21, 8
    columns, slashes = ranks(heads, length, 1, forced)
    budget = pairs(heads, length, share)
    every = 3 * 2 * heads * length

    lines, wider = layer_lines_that_fit(columns, slashes, budget, every, block, backend=Backend.PYTORCH)

    def held(along: int, across: int) -> int:
        return int(attended_and_loaded(slashes < along, columns < across, block)[0].sum())

    assert lines == max([0, *(n for n in range(every + 1) if held(n, n) <= budget)])
    assert wider == max([int(lines), *(n for n in range(int(lines), every + 1) if held(int(lines), n) <= budget)])


@pytest.mark.parametrize(("share", "forced"), [(0.0, 11), (0.1, 0), (0.4, 11), (1.0, 0)])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_triton(shape: tuple[int, int, int], share: float, forced: int, kernel_device: torch.device) -> None:
    heads, length, block = shape
    columns, slashes = ranks(heads, length, 2, forced)
    budget, most = pairs(heads, length, share), 6 * heads * length
    expected = layer_lines_that_fit(columns, slashes, budget, most, block, backend=Backend.PYTORCH)

    found = layer_lines_that_fit(
        columns.to(kernel_device), slashes.to(kernel_device), budget, most, block, backend=Backend.TRITON
    )

    assert [part.item() for part in found] == [part.item() for part in expected]


def test_triton_takes_ties_together(kernel_device: torch.device) -> None:
    columns, slashes = (part // 21 for part in ranks(2, 45, 4))
    expected = layer_lines_that_fit(columns, slashes, 700, 999, 16, backend=Backend.PYTORCH)

    found = layer_lines_that_fit(
        columns.to(kernel_device), slashes.to(kernel_device), 700, 999, 16, backend=Backend.TRITON
    )

    assert [part.item() for part in found] == [part.item() for part in expected]


def test_what_the_kernel_does_not_take_is_refused(kernel_device: torch.device) -> None:
    columns, slashes = (part.to(kernel_device) for part in ranks(1, 7, 1))

    with pytest.raises(BackendError, match="triton does not take row blocks of 8 and 7 tokens on "):
        layer_lines_that_fit(columns, slashes, 10, 99, 8, backend=Backend.TRITON)
    with pytest.raises(InputError, match=r"column_rank is torch\.int64 on \w+(:0)?; wanted int32 on "):
        layer_lines_that_fit(columns.long(), slashes, 10, 99, 16)
    with pytest.raises(InputError, match="most 2147483648 must be 1 to 2147483647"):
        layer_lines_that_fit(columns, slashes, 10, 1 << 31, 16)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("length", [4_097, 131_072])
def test_triton_on_long_prompts(length: int) -> None:
    columns, slashes = (part.cuda() for part in ranks(4, length, 3, 600))
    budget, most = pairs(4, length, 0.1), (1 << 31) - 1

    found = layer_lines_that_fit(columns, slashes, budget, most, 64, backend=Backend.TRITON)

    expected = layer_lines_that_fit(columns, slashes, budget, most, 64, backend=Backend.PYTORCH)
    assert [part.item() for part in found] == [part.item() for part in expected]
