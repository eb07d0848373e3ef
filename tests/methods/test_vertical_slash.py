"""Vertical-Slash against a loop-by-loop definition, and its budget."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.vertical_slash import vertical_slash_scores
from torch import Tensor

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.vertical_slash import VerticalSlash


def tensors(heads: int, groups: int, length: int, seed: int = 42) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        3 * torch.randn(heads, length, 16, generator=generator),
        torch.randn(groups, length, 16, generator=generator),
    )


def scores_by_definition(query: Tensor, key: Tensor, scale: float, window: int) -> tuple[Tensor, Tensor]:
    heads, length, _ = query.shape
    verticals, slashes = torch.zeros(heads, length), torch.zeros(heads, length)
    for head in range(heads):
        for i in range(max(0, length - window), length):
            mass = (key[head * key.shape[0] // heads, : i + 1] @ query[head, i] * scale).softmax(dim=0)
            for j in range(i + 1):
                verticals[head, j] += mass[j]
                slashes[head, i - j] += mass[j]
    return verticals, slashes


def keys_of_lines(columns: list[int], offsets: list[int], length: int, block: int) -> Tensor:
    """Keys of each row block: every chosen column, and the range of `block` keys that each diagonal crosses."""
    keys = torch.zeros(-(-length // block), length, dtype=torch.bool)
    for number in range(keys.shape[0]):
        start = number * block
        for offset in offsets:
            keys[number, max(0, start - offset) : max(0, start - offset + block)] = True
        keys[number, columns] = True
        keys[number, start + block :] = False
    return keys


@pytest.mark.parametrize(("length", "window"), [(1, 8), (63, 256), (130, 32)])
def test_scores(length: int, window: int) -> None:
    query, key = tensors(4, 2, length)

    found = vertical_slash_scores(query, key, 0.25, window)

    for mine, expected in zip(found, scores_by_definition(query, key, 0.25, window), strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-4, rtol=1e-4)


def test_columns_that_all_rows_attend_are_told_apart() -> None:
    length = 200
    query, key = torch.zeros(1, length, 16), torch.zeros(1, length, 16)
    query[..., 0] = 1.0
    # Logits of 5.0 and 5.5 among some 180 zeros: masses of 8 and 13 of the 32 rows.
    key[0, 20, 0], key[0, 60, 0] = 5.0, 5.5
    method = VerticalSlash(None, window=32, sinks=0, local=1, verticals=1, slashes=1)

    chosen = method.select(query, key, 1.0)

    assert chosen.columns.nonzero().tolist() == [[0, 60]]


@pytest.mark.parametrize("sparsity", [0.2, 0.4, 0.6])
@pytest.mark.parametrize("length", [300, 321])
def test_selection_is_that_of_whole_lines(length: int, sparsity: float) -> None:
    query, key = tensors(4, 2, length)
    method = VerticalSlash(sparsity, window=32, local=8)
    verticals, slashes = vertical_slash_scores(query, key, 0.25, 32)
    pairs = length * (length + 1) // 2
    budget = int((1 - sparsity) * pairs)
    rows = torch.arange(length)

    selection = method.select(query, key, 0.25)

    for head in range(4):
        columns = [0, 1, 2, 3, *(4 + verticals[head, 4:].argsort(descending=True, stable=True)).tolist()]
        offsets = [*range(8), *(8 + slashes[head, 8:].argsort(descending=True, stable=True)).tolist()]

        def cost(keys: Tensor) -> int:
            return int((keys[rows // 64] & (rows[None] <= rows[:, None])).sum())

        lines = next(
            n
            for n in range(length)
            if cost(keys_of_lines(columns[: 4 + n + 1], offsets[: 8 + n + 1], length, 64)) > budget
        )
        more = next(
            n
            for n in range(lines, length)
            if cost(keys_of_lines(columns[: 4 + n + 1], offsets[: 8 + lines], length, 64)) > budget
        )
        expected = keys_of_lines(columns[: 4 + more], offsets[: 8 + lines], length, 64)
        assert torch.equal(selection.keys[head], expected)


@pytest.mark.parametrize("length", [1000, 2048])
@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.67, 0.8])
def test_every_head_holds_the_declared_sparsity(length: int, sparsity: float) -> None:
    query, key = tensors(6, 2, length)

    measured = 1 - VerticalSlash(sparsity).select(query, key, 0.25).attended()

    torch.testing.assert_close(measured, torch.full_like(measured, sparsity), atol=0.005, rtol=0)


@pytest.mark.parametrize("length", [1, 63, 64, 65, 1000, 1024])
def test_reach_is_what_the_always_kept_lines_leave(length: int) -> None:
    query, key = tensors(2, 1, length)
    least = VerticalSlash(0.999).select(query, key, 0.25).attended()

    assert VerticalSlash(0.5).reach(length) == pytest.approx(1 - float(least[0]))


def test_more_than_the_reach_is_refused_with_the_range() -> None:
    with pytest.raises(MethodError, match=r"cannot reach sparsity 0.95 at 1024 tokens.*reachable: 0 to 0.90"):
        VerticalSlash(0.95).check(1024)
