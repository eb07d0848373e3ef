"""The order of lines: by definition against sorting scores, in Triton against the definition."""

from __future__ import annotations

import math

import pytest
import torch
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.errors import InputError
from sparsetol_kernels.line_ranks import line_ranks
from torch import Tensor

SHAPES = {
    "one token": (1, 1, (4, 64)),
    "fewer than are forced": (2, 30, (40, 64)),
    "odd length": (3, 1_101, (4, 64)),
    "nothing forced": (2, 45, (0, 0)),
    "more heads than one sort takes": (70, 33, (4, 3)),
}


def scores(heads: int, length: int) -> tuple[Tensor, Tensor]:
    """Of very different sizes, with ties and zeros."""
    generator = torch.Generator().manual_seed(heads + length)
    columns, slashes = (256 * torch.rand(heads, length, generator=generator) ** power for power in (9, 40))
    columns[0, : length // 3] = 0.0
    slashes[-1, ::3] = slashes[-1, 0]
    return columns, slashes


def compared(score: float) -> float:
    """What counts of a score: 21 bits of it, nothing under 2 ** -53, which is 62 powers of two under 512."""
    if score < 2.0**-53:
        return 0.0
    fraction, exponent = math.frexp(score)
    return math.ldexp(math.floor(fraction * 2**21), exponent - 21)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_by_definition(shape: tuple[int, int, tuple[int, int]]) -> None:
    heads, length, forced = shape
    of = scores(heads, length)

    found = line_ranks(*of, forced, 256, backend=Backend.PYTORCH)

    for kind, ranks, first in zip(of, found, forced, strict=True):
        for head in range(heads):
            values = [compared(score) for score in kind[head].tolist()]
            order = sorted(range(min(first, length), length), key=lambda line: (-values[line], line))
            expected = [0] * length
            for rank, line in enumerate(order, start=1):
                expected[line] = rank
            assert ranks[head].tolist() == expected


def test_scores_that_differ_by_less_than_a_millionth_tie() -> None:
    scores = torch.tensor([[1.0, 1.0 + 2**-23, 1.0 + 2**-20, 2**-54, 2**-55, 0.0, 2**-52]])

    ranks, _ = line_ranks(scores, scores, (0, 0), 256, backend=Backend.PYTORCH)

    assert ranks.tolist() == [[2, 3, 1, 5, 6, 7, 4]]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_triton(shape: tuple[int, int, tuple[int, int]], kernel_device: torch.device) -> None:
    heads, length, forced = shape
    of = scores(heads, length)
    expected = line_ranks(*of, forced, 256, backend=Backend.PYTORCH)

    columns, slashes = (part.to(kernel_device) for part in of)
    found = line_ranks(columns, slashes, forced, 256, backend=Backend.TRITON)

    assert [part.tolist() for part in found] == [part.tolist() for part in expected]


def test_other_tensors_are_refused() -> None:
    columns, slashes = scores(2, 9)

    with pytest.raises(InputError, match=r"columns is torch\.float64 on cpu; wanted float32 on cpu"):
        line_ranks(columns.double(), slashes, (0, 0), 256)
    with pytest.raises(InputError, match="slashes"):
        line_ranks(columns, slashes[:, 1:], (0, 0), 256)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_triton_on_long_prompts() -> None:
    columns, slashes = (part.cuda() for part in scores(40, 131_072))
    expected = line_ranks(columns, slashes, (4, 64), 256, backend=Backend.PYTORCH)

    found = line_ranks(columns, slashes, (4, 64), 256, backend=Backend.TRITON)

    assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))
