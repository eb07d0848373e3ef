"""How many lines fit: by definition against trying each number, in Triton against the definition."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.errors import BackendError
from sparsetol_kernels.line_budget import lines_that_fit
from sparsetol_kernels.lines import attended_and_loaded
from torch import Tensor

SHAPES = {
    "one token": (1, 1, 16, 0),
    "within a row block": (2, 13, 16, 3),
    "odd length": (2, 45, 16, 4),
    "last block full": (1, 64, 32, 8),
    "last block of one": (1, 65, 16, 2),
}


def ranks(heads: int, length: int, forced: int, seed: int) -> tuple[Tensor, Tensor]:
    """The first `forced` lines at rank 0, the rest in random order from 1 on."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(2):
        rest = torch.stack([torch.randperm(length - min(forced, length), generator=generator) for _ in range(heads)])
        made.append(torch.cat([torch.zeros(heads, min(forced, length), dtype=torch.int64), rest + 1], dim=1).int())
    return made[0], made[1]


@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_by_definition(shape: tuple[int, int, int, int], share: float) -> None:
    heads, length, block, forced = shape
    columns, slashes = ranks(heads, length, forced, 1)
    budget = int(share * length * (length + 1) / 2)

    lines, wider = lines_that_fit(columns, slashes, budget, block, backend=Backend.PYTORCH)

    for head in range(heads):

        def held(along: int, across: int, head: int = head) -> int:
            return int(attended_and_loaded(slashes[head, None] < along, columns[head, None] < across, block)[0])

        fitting = [n for n in range(1, length + 2) if held(n, n) <= budget]
        assert lines[head] == max(fitting, default=1)
        more = [n for n in range(int(lines[head]), length + 2) if held(int(lines[head]), n) <= budget]
        assert wider[head] == max(more, default=int(lines[head]))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.97, 1.0])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_triton(shape: tuple[int, int, int, int], share: float, kernel_device: torch.device) -> None:
    heads, length, block, forced = shape
    columns, slashes = ranks(heads, length, forced, 2)
    budget = int(share * length * (length + 1) / 2)
    expected = lines_that_fit(columns, slashes, budget, block, backend=Backend.PYTORCH)

    found = lines_that_fit(columns.to(kernel_device), slashes.to(kernel_device), budget, block, backend=Backend.TRITON)

    assert [part.tolist() for part in found] == [part.tolist() for part in expected]


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize(("lines", "wider"), [(2, 2), (3, 9), (5, 5), (5, 21), (8, 8), (11, 11)])
def test_triton_counts_every_pair(lines: int, wider: int, short: int, kernel_device: torch.device) -> None:
    columns, slashes = ranks(1, 45, 0, 6)
    # What these lines hold just fits; with one pair less, the last of them does not.
    budget = int(attended_and_loaded(slashes < lines, columns < wider, 16)[0]) - short
    expected = lines_that_fit(columns, slashes, budget, 16, backend=Backend.PYTORCH)

    found = lines_that_fit(columns.to(kernel_device), slashes.to(kernel_device), budget, 16, backend=Backend.TRITON)

    assert [part.tolist() for part in found] == [part.tolist() for part in expected]


def test_triton_never_takes_ranks_above_the_length(kernel_device: torch.device) -> None:
    columns, slashes = (3 * part for part in ranks(2, 45, 4, 5))
    expected = lines_that_fit(columns, slashes, 300, 16, backend=Backend.PYTORCH)

    found = lines_that_fit(columns.to(kernel_device), slashes.to(kernel_device), 300, 16, backend=Backend.TRITON)

    assert [part.tolist() for part in found] == [part.tolist() for part in expected]


def test_lines_of_ranks_above_the_length_leave_those_up_to_it_as_they_are() -> None:
    columns, slashes = (15 * part for part in ranks(1, 45, 4, 8))
    up_to_it = int(attended_and_loaded(slashes <= 45, columns <= 45, 16)[0])
    assert up_to_it < 45 * 46 // 2

    lines, _ = lines_that_fit(columns, slashes, up_to_it, 16, backend=Backend.PYTORCH)

    assert lines.tolist() == [46]


def test_prompts_whose_pairs_do_not_fit_32_bits_are_not_for_triton(kernel_device: torch.device) -> None:
    ranks_of_all = torch.zeros(1, 2**19 + 1, dtype=torch.int32, device=kernel_device)

    with pytest.raises(BackendError, match="triton does not take row blocks of 16 and 524289 tokens on "):
        lines_that_fit(ranks_of_all, ranks_of_all, 10, 16, backend=Backend.TRITON)


def test_triton_takes_ties_together(kernel_device: torch.device) -> None:
    columns, slashes = (part // 7 for part in ranks(2, 45, 4, 5))

    found = lines_that_fit(columns.to(kernel_device), slashes.to(kernel_device), 500, 16, backend=Backend.TRITON)

    expected = lines_that_fit(columns, slashes, 500, 16, backend=Backend.PYTORCH)
    assert [part.tolist() for part in found] == [part.tolist() for part in expected]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("length", [4_097, 131_072])
def test_triton_on_long_prompts(length: int) -> None:
    columns, slashes = (part.cuda() for part in ranks(4, length, 64, 3))
    budget = length * (length + 1) // 20

    found = lines_that_fit(columns, slashes, budget, 64, backend=Backend.TRITON)

    expected = lines_that_fit(columns, slashes, budget, 64, backend=Backend.PYTORCH)
    assert [part.tolist() for part in found] == [part.tolist() for part in expected]
