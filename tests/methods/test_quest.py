"""Quest against a loop-by-loop definition, and its budget."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.quest import Quest


def cache(heads: int, groups: int, length: int, seed: int = 42) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(heads, length, 16, generator=generator), torch.randn(groups, length, 16, generator=generator)


def best_pages(query: Tensor, key: Tensor, page: int) -> list[list[int]]:
    """Earlier pages of each key head, best first: the largest product that keys inside the page's bounds can reach."""
    groups, length, _ = key.shape
    heads = query.shape[0] // groups
    order = []
    for group in range(groups):
        scores = []
        for number in range((length - 1) // page):
            keys = key[group, number * page : (number + 1) * page]
            low, high = keys.min(dim=0).values, keys.max(dim=0).values
            scores.append(
                sum(
                    float(torch.maximum(query[head] * low, query[head] * high).sum())
                    for head in range(group * heads, (group + 1) * heads)
                )
            )
        order.append(sorted(range(len(scores)), key=lambda number: -scores[number]))
    return order


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.8, 0.9])
@pytest.mark.parametrize("length", [1, 16, 17, 63, 400])
def test_selection_is_the_best_pages_and_the_current_one(length: int, sparsity: float) -> None:
    query, key = cache(6, 2, length)
    method = Quest(sparsity)
    state = method.new_state()
    for seen in range(max(1, length - 40), length + 1):
        selection = method.select(state, query[:, seen - 1], key[:, :seen])
    current = range((length - 1) // 16 * 16, length)

    for group, order in enumerate(best_pages(query[:, -1], key, 16)):
        tokens = selection.tokens[group].tolist()
        pages = order[: (len(tokens) - len(current)) // 16]
        assert tokens == sorted(tokens)
        assert set(tokens) == {token for page in pages for token in range(16 * page, 16 * page + 16)} | set(current)


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.67, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("length", [1000, 2048])
def test_sixteen_steps_hold_the_declared_sparsity(length: int, sparsity: float) -> None:
    query, key = cache(2, 1, length + 16)
    method = Quest(sparsity)
    state = method.new_state()
    shares = []
    for seen in range(length + 1, length + 17):
        selection = method.select(state, query[:, seen - 1], key[:, :seen])
        shares.append(1 - float(selection.count[0]) / seen)

    assert sum(shares) / 16 == pytest.approx(sparsity, abs=0.005)


def test_loaded_counts_the_bounds_of_every_earlier_page() -> None:
    query, key = cache(2, 1, 400)

    selection = Quest(0.9).select(Quest(0.9).new_state(), query[:, -1], key)

    assert selection.loaded.tolist() == [selection.tokens.shape[1] + 24]


def test_more_than_the_reach_is_refused_with_the_range() -> None:
    Quest(0.96).check(1024)
    with pytest.raises(MethodError, match=r"cannot reach sparsity 0.98 at 1024 tokens.*reachable: 0 to 0.97"):
        Quest(0.98).check(1024)


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 1.5])
def test_a_sparsity_outside_its_range_is_refused(sparsity: float) -> None:
    with pytest.raises(MethodError, match="at least 0 and under 1"):
        Quest(sparsity)
