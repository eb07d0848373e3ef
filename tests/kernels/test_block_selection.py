"""Lists of the best blocks against a loop over rows."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.block_selection import select_blocks
from sparsetol_kernels.errors import InputError
from torch import Tensor

SHAPES = {
    "one token": (1, 1, 1, 16, 16),
    "odd length": (2, 1, 83, 24, 16),
    "blocks of 7": (2, 1, 40, 16, 7),
    "blocks of 128": (2, 2, 300, 96, 128),
    "more blocks than a list's program scores": (2, 1, 70, 24, 1),
}


def tensors(heads: int, groups: int, length: int, size: int, *, whole: bool = False) -> tuple[Tensor, Tensor]:
    """Strided as the engine's, with NaN beside the sequence; whole numbers make ties."""
    generator = torch.Generator().manual_seed(5)
    made = []
    for count in (heads, groups):
        space = torch.full((2, length + 1, count, size), float("nan"))
        values = torch.randn(2, length, count, size, generator=generator)
        space[:, :-1] = values.round() if whole else values
        made.append(space[:, :-1].transpose(1, 2))
    return made[0], made[1]


def counts_for(length: int, block: int, most: int) -> Tensor:
    number = torch.arange(-(-length // block))
    return (number + 1).minimum(most + number % 2).int()


def chosen_by_hand(
    query: Tensor, key: Tensor, counts: Tensor, block: int, *, per_key_head: bool
) -> list[list[list[int]]]:
    def mean(tokens: Tensor, number: int) -> Tensor:
        return tokens[number * block : (number + 1) * block].double().mean(dim=0)

    group = query.shape[0] // key.shape[0]
    heads = [[head] for head in range(query.shape[0])]
    if per_key_head:
        heads = [list(range(owner * group, (owner + 1) * group)) for owner in range(key.shape[0])]
    lists = []
    for sharing in heads:
        rows = []
        for row, count in enumerate(counts.tolist()):
            score = {
                number: float("inf")
                if number in {0, row - 1, row}
                else sum(float(mean(query[head], row) @ mean(key[head // group], number)) for head in sharing)
                for number in range(row + 1)
            }
            rows.append(sorted(sorted(score, key=lambda number: (-round(score[number], 9), number))[:count]))
        lists.append(rows)
    return lists


def check(
    shape: tuple[int, int, int, int, int], device: torch.device, backend: Backend, *,
    whole: bool = False, per_key_head: bool = False,
) -> None:  # fmt: skip
    heads, groups, length, size, block = shape
    query, key = tensors(heads, groups, length, size, whole=whole)
    counts = counts_for(length, block, 4)
    most = int(counts.max())

    index, count = select_blocks(
        query.to(device), key.to(device), counts.to(device), most, block, per_key_head=per_key_head, backend=backend
    )

    lists = groups if per_key_head else heads
    assert index.shape == (2, lists, counts.shape[0], most)
    assert torch.equal(count.cpu(), counts.expand(2, lists, -1))
    for sequence in range(2):
        expected = chosen_by_hand(query[sequence], key[sequence], counts, block, per_key_head=per_key_head)
        found = [
            [index[sequence, head, row, :n].tolist() for row, n in enumerate(counts.tolist())] for head in range(lists)
        ]
        assert found == expected


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_by_definition(shape: tuple[int, int, int, int, int]) -> None:
    check(shape, torch.device("cpu"), Backend.PYTORCH)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_triton(shape: tuple[int, int, int, int, int], kernel_device: torch.device) -> None:
    check(shape, kernel_device, Backend.TRITON)


SHARED = {
    "a head of its own": (2, 2, 83, 24, 16),
    "two heads": (2, 1, 300, 16, 16),
    "four heads, odd length": (8, 2, 203, 48, 16),
    "three heads, blocks of 128": (3, 1, 700, 32, 128),
    "two heads, more blocks than a list's program scores": (4, 2, 140, 16, 2),
}


@pytest.mark.parametrize("shape", SHARED.values(), ids=SHARED.keys())
def test_heads_share_a_list_by_definition(shape: tuple[int, int, int, int, int]) -> None:
    check(shape, torch.device("cpu"), Backend.PYTORCH, per_key_head=True)


@pytest.mark.parametrize("shape", SHARED.values(), ids=SHARED.keys())
def test_heads_share_a_list_in_triton(shape: tuple[int, int, int, int, int], kernel_device: torch.device) -> None:
    check(shape, kernel_device, Backend.TRITON, per_key_head=True)


@pytest.mark.parametrize("blocks", [64, 70])
@pytest.mark.parametrize("scale", [1e30, 1e-30, -1.0])
def test_scores_of_any_range_in_triton(scale: float, blocks: int, kernel_device: torch.device) -> None:
    """Scores that lie unevenly: each block's is twice the one before it, or half."""
    size = 16
    counts = counts_for(blocks, 1, 9).to(kernel_device)
    key = torch.zeros(1, 1, blocks, size, device=kernel_device)
    key[0, 0, :, 0] = scale * 2.0 ** torch.arange(-35, blocks - 35, device=kernel_device)
    query = torch.ones_like(key)

    index, _ = select_blocks(query, key, counts, 10, 1, backend=Backend.TRITON)

    expected, _ = select_blocks(query, key, counts, 10, 1, backend=Backend.PYTORCH)
    for row, count in enumerate(counts.tolist()):
        assert index[0, 0, row, :count].tolist() == expected[0, 0, row, :count].tolist()


@pytest.mark.parametrize("length", [20, 66])
@pytest.mark.parametrize("backend", [Backend.PYTORCH, Backend.TRITON])
def test_ties_go_to_the_earlier_block_in_triton(backend: Backend, length: int, kernel_device: torch.device) -> None:
    # Blocks of one token with whole numbers: many equal scores, computed exactly.
    check((1, 1, length, 16, 1), kernel_device, backend, whole=True)


def test_counts_of_another_length_are_refused() -> None:
    tensor = torch.zeros(1, 1, 100, 16)

    with pytest.raises(InputError, match=r"counts has shape \[6\]; wanted \[7 row blocks of 16 for length 100\]"):
        select_blocks(tensor, tensor, torch.ones(6, dtype=torch.int32), 1, 16)
