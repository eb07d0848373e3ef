"""The order of all lines of a layer by coverage: by definition against counting, in Triton against the definition."""

from __future__ import annotations

import math

import pytest
import torch
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.covering_ranks import covering_ranks
from sparsetol_kernels.errors import InputError
from torch import Tensor

from tests.kernels.test_line_ranks import compared, scores

SHAPES = {
    "one token": (1, 1, (4, 64), 3),
    "fewer than are forced": (2, 30, (40, 64), 5),
    "odd length": (3, 1_101, (4, 64), 200),
    "nothing forced, no floor": (2, 45, (0, 0), 0),
    "a floor for all": (2, 45, (4, 3), 100),
    "more heads than one sort takes": (70, 33, (4, 3), 6),
    "more than one step of places": (1, 4_500, (4, 64), 30),
}


def rank_by_definition(mass: list[float], forced: int, floor: int, steps: int) -> list[int]:
    """What must be granted for each line of a head and kind, in steps; -1 for forced ones."""
    values = [compared(score) for score in mass]
    by_mass = sorted(range(len(mass)), key=lambda line: (-values[line], line))
    granted: list[int] = []
    for place in range(len(mass)):
        ahead = math.fsum(mass[line] for line in by_mass[:place]) / math.fsum(mass)
        step = place if place < floor else floor + math.floor(min(ahead, 1.0) * steps)
        granted.append(max([step, *(before + 1 for before in granted[-1:])]))
    taken = [*range(min(forced, len(mass))), *(line for line in by_mass if line >= forced)]
    ranks = [0] * len(mass)
    for place, line in enumerate(taken):
        ranks[line] = -1 if place < forced else granted[place]
    return ranks


def in_sixteenths(of: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Sums of these are exact in any order, and many tie; no head is without attention."""
    columns, slashes = ((16 * part).round() / 16 for part in of)
    columns[:, -1] += 1.0
    slashes[:, -1] += 1.0
    return columns, slashes


@pytest.mark.parametrize("shape", [shape for name, shape in SHAPES.items() if "step" not in name], ids=str)
def test_by_definition(shape: tuple[int, int, tuple[int, int], int]) -> None:
    heads, length, forced, floor = shape
    of = in_sixteenths(scores(heads, length))

    found = covering_ranks(*of, forced, floor, 257, backend=Backend.PYTORCH)

    assert found.floor == min(floor, length)
    for kind, (part, first) in enumerate(zip(of, forced, strict=True)):
        ranks = (found.columns, found.slashes)[kind]
        for head in range(heads):
            expected = rank_by_definition(part[head].tolist(), first, found.floor, found.steps)
            own = kind * heads + head
            assert ranks[head].tolist() == [-1 if step < 0 else step * 2 * heads + own for step in expected]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_triton(shape: tuple[int, int, tuple[int, int], int], kernel_device: torch.device) -> None:
    heads, length, forced, floor = shape
    of = in_sixteenths(scores(heads, length))
    expected = covering_ranks(*of, forced, floor, 257, backend=Backend.PYTORCH)

    columns, slashes = (part.to(kernel_device) for part in of)
    found = covering_ranks(columns, slashes, forced, floor, 257, backend=Backend.TRITON)

    assert found.columns.tolist() == expected.columns.tolist()
    assert found.slashes.tolist() == expected.slashes.tolist()


def test_a_share_of_attention_and_the_ranks_that_cover_it() -> None:
    ranks = covering_ranks(torch.tensor([[8.0, 4.0, 2.0, 2.0]]), torch.tensor([[1.0, 1.0, 1.0, 13.0]]), (1, 0), 1, 16)

    assert (ranks.columns < ranks.covering(0.75)).tolist() == [[True, True, False, False]]
    assert (ranks.columns < ranks.covering(0.76)).tolist() == [[True, True, True, False]]
    assert (ranks.slashes < ranks.covering(0.75)).tolist() == [[False, False, False, True]]
    assert ranks.covered(ranks.columns[0].long()).tolist() == [0.0, 0.5, 0.75, 0.875]
    assert ranks.covered(ranks.slashes[0].long()).tolist() == [0.8125, 0.875, 0.9375, 0.0]


@pytest.mark.parametrize(("heads", "length"), [(1, 9), (32, 131), (300, 7)])
def test_ranks_are_all_different_and_under_the_most(heads: int, length: int) -> None:
    ones = torch.ones(heads, length)

    ranks = covering_ranks(ones, ones, (2, 3), 4, length)

    every = torch.cat([ranks.columns.flatten(), ranks.slashes.flatten()])
    ranked = every[every >= 0].tolist()
    assert len(set(ranked)) == len(ranked) == heads * (2 * length - 5)
    assert max(ranked) < ranks.most < 1 << 31


def test_other_tensors_are_refused() -> None:
    columns, slashes = scores(2, 9)
    many = torch.empty(1, 1, device="meta").expand(1 << 10, 1 << 20)

    with pytest.raises(InputError, match=r"columns is torch\.float64 on cpu; wanted float32 on cpu"):
        covering_ranks(columns.double(), slashes, (0, 0), 0, 256)
    with pytest.raises(InputError, match=r"2147483648 lines are too many: a layer has fewer than 536870912"):
        covering_ranks(many, many, (0, 0), 0, 256)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_triton_on_long_prompts() -> None:
    columns, slashes = (part.cuda() for part in in_sixteenths(scores(40, 131_072)))
    expected = covering_ranks(columns, slashes, (4, 64), 512, 257, backend=Backend.PYTORCH)

    found = covering_ranks(columns, slashes, (4, 64), 512, 257, backend=Backend.TRITON)

    assert torch.equal(found.columns, expected.columns)
    assert torch.equal(found.slashes, expected.slashes)
