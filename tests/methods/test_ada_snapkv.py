"""Ada-SnapKV against a loop-by-loop definition, and its budget."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from tests.methods.snapkv_by_definition import assert_best, forced, scores_by_definition, tensors


def uneven(heads: int, groups: int, length: int) -> tuple[Tensor, Tensor]:
    """The first key head attends sharply, later ones ever more evenly, so that they claim different budgets."""
    query, key = tensors(heads, groups, length)
    return query, key * torch.linspace(1, 0.1, groups)[:, None, None]


@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.8])
@pytest.mark.parametrize(("heads", "groups"), [(3, 3), (6, 2), (4, 1)])
@pytest.mark.parametrize("length", [101, 257])
def test_selection_is_each_heads_own_and_the_best_of_all(heads: int, groups: int, length: int, sparsity: float) -> None:
    query, key = uneven(heads, groups, length)
    scores = scores_by_definition(query, key, 0.25, 32, 21, "max")
    capacity = round((1 - sparsity) * length)
    own = max(int(0.2 * capacity), 13)

    kept = AdaSnapKV(sparsity, window=32, local=9).select(query, key, 0.25)

    assert int(kept.sum()) == groups * capacity
    scores[:, forced(length, 4, 9)] = float("inf")
    rest = torch.ones_like(kept)
    for group in range(groups):
        best = scores[group].argsort(descending=True, stable=True)
        assert kept[group, best[:own]].all()
        assert_best(scores[group], kept[group])
        rest[group, best[:own]] = False
    assert_best(scores[rest], kept[rest])


def test_heads_get_what_their_scores_claim() -> None:
    query, key = uneven(6, 3, 400)

    counts = AdaSnapKV(0.8, window=32, local=9).select(query, key, 0.25).sum(dim=1).tolist()

    assert counts[0] > 2 * counts[2]
    assert counts[2] >= 16
    assert sum(counts) == 3 * 80


def test_a_full_share_is_an_even_split() -> None:
    query, key = uneven(6, 3, 400)

    counts = AdaSnapKV(0.8, share=1.0).select(query, key, 0.25).sum(dim=1).tolist()

    assert counts == [80, 80, 80]


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.67, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("length", [1000, 2048, 4096])
def test_every_layer_holds_the_declared_sparsity(length: int, sparsity: float) -> None:
    query, key = uneven(4, 2, length)
    method = AdaSnapKV(sparsity)
    method.check(length)

    kept = method.select(query, key, 0.25)

    assert 1 - float(kept.double().mean()) == pytest.approx(sparsity, abs=0.5 / length)
    assert int(kept.sum(dim=1).min()) >= method.least_kept(length)


@pytest.mark.parametrize("length", [1, 63, 1000, 4097])
def test_reach_is_what_the_forced_tokens_leave(length: int) -> None:
    query, key = tensors(2, 2, length)

    kept = AdaSnapKV(0.9999).select(query, key, 0.25)

    assert AdaSnapKV(0.5).reach(length) == pytest.approx(1 - float(kept.double().mean()))


def test_a_share_outside_its_range_is_refused() -> None:
    with pytest.raises(MethodError, match=r"share 1.5 must be 0 to 1"):
        AdaSnapKV(0.5, share=1.5)
