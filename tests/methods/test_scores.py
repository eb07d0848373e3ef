"""Scores that methods rank by, against float64 loops over the shapes of the shared matrix."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.block_sparse import pooled_block_scores
from sparsetol_kernels.quest import quest_page_scores
from sparsetol_kernels.snapkv import snapkv_scores
from sparsetol_kernels.vertical_slash import vertical_slash_scores
from torch import Tensor

from pytest_sparsetol.testing import CASES, Case

WINDOW = 64
each_case = pytest.mark.parametrize("case", CASES, ids=str)


def close(found: Tensor, expected: Tensor) -> None:
    """To float32's precision of sums of some hundred terms."""
    scale = max(1e-3, float(expected.abs().max()))
    torch.testing.assert_close(found.double(), expected, atol=2e-6 * scale, rtol=1e-4)


def weights(query: Tensor, key: Tensor, scale: float, head: int, row: int) -> Tensor:
    """Softmax of one query over the keys up to its own."""
    keys = key[head * key.shape[0] // query.shape[0], : row + 1].double()
    return (keys @ query[head, row].double() * scale).softmax(dim=0)


@each_case
def test_columns_and_diagonals(case: Case) -> None:
    query, key, _ = case.tensors()
    columns = torch.zeros(query.shape[0], case.length, dtype=torch.float64)
    diagonals = columns.clone()
    for head in range(query.shape[0]):
        for row in range(max(0, case.length - WINDOW), case.length):
            mass = weights(query, key, case.scale, head, row)
            columns[head, : row + 1] += mass
            diagonals[head, : row + 1] += mass.flip(0)

    found = vertical_slash_scores(query, key, case.scale, WINDOW)

    close(found[0], columns)
    close(found[1], diagonals)


@each_case
@pytest.mark.parametrize("over", ["mean", "max"])
def test_cached_tokens(case: Case, over: str) -> None:
    query, key, _ = case.tensors()
    paid = torch.zeros(case.key_heads, case.length, dtype=torch.float64)
    for head in range(query.shape[0]):
        owner = head // case.group
        for row in range(max(0, case.length - WINDOW), case.length):
            mass = weights(query, key, case.scale, head, row)
            part = paid[owner, : row + 1]
            part.copy_(part + mass / case.group if over == "mean" else torch.maximum(part, mass))
    pooled = torch.stack([paid[:, max(0, j - 10) : j + 11].sum(dim=1) / 21 for j in range(case.length)], dim=1)

    close(snapkv_scores(query, key, case.scale, WINDOW, 21, over), pooled)  # type: ignore[arg-type]  # parametrized as str


@each_case
def test_pairs_of_blocks(case: Case) -> None:
    query, key, _ = case.tensors()
    starts = range(0, case.length, 16)
    rows = torch.stack([query[:, start : start + 16].double().mean(dim=1) for start in starts], dim=1)
    means = torch.stack([key[:, start : start + 16].double().mean(dim=1) for start in starts], dim=1)

    found = pooled_block_scores(query, key, 16)

    for head in range(query.shape[0]):
        close(found[head], rows[head] @ means[head // case.group].T)


@each_case
def test_pages(case: Case) -> None:
    query, key, _ = case.tensors()
    pages = [key[:, start : start + 16] for start in range(0, case.length, 16)]
    low = torch.stack([page.amin(dim=1) for page in pages], dim=1)
    high = torch.stack([page.amax(dim=1) for page in pages], dim=1)

    found = quest_page_scores(query[:, -1], low, high)

    for owner in range(case.key_heads):
        mine = query[owner * case.group : (owner + 1) * case.group, -1].double()
        for page in range(len(pages)):
            bound = torch.maximum(mine * low[owner, page].double(), mine * high[owner, page].double()).sum()
            assert float(found[owner, page]) == pytest.approx(float(bound), rel=1e-5, abs=1e-4)
