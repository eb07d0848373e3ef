"""SnapKV against a loop-by-loop definition, its budget and its reach."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.snapkv import snapkv_scores

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.snapkv import SnapKV
from tests.methods.snapkv_by_definition import assert_best, forced, scores_by_definition, tensors


@pytest.mark.parametrize("over", ["mean", "max"])
@pytest.mark.parametrize(("heads", "groups"), [(2, 2), (6, 2), (8, 2)])
@pytest.mark.parametrize(("length", "window", "pool"), [(1, 8, 21), (63, 256, 21), (130, 32, 5)])
def test_scores(over: str, heads: int, groups: int, length: int, window: int, pool: int) -> None:
    query, key = tensors(heads, groups, length)

    found = snapkv_scores(query, key, 0.25, window, pool, over)  # type: ignore[arg-type]  # parametrized as str

    expected = scores_by_definition(query, key, 0.25, window, pool, over)  # type: ignore[arg-type]  # likewise
    torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.8])
@pytest.mark.parametrize(("heads", "groups"), [(2, 2), (6, 2), (4, 1)])
@pytest.mark.parametrize("length", [101, 257])
def test_selection_is_the_forced_tokens_and_the_best(heads: int, groups: int, length: int, sparsity: float) -> None:
    query, key = tensors(heads, groups, length)
    scores = scores_by_definition(query, key, 0.25, 32, 21, "mean")

    kept = SnapKV(sparsity, window=32, local=9).select(query, key, 0.25)

    always = forced(length, 4, 9)
    chosen = [token for token in range(length) if token not in always]
    assert kept[:, always].all()
    assert kept.sum(dim=1).tolist() == [round((1 - sparsity) * length)] * groups
    for group in range(groups):
        assert_best(scores[group, chosen], kept[group, chosen])


def test_the_last_queries_decide() -> None:
    """Queries before the window have no say, those inside do."""
    query, key = tensors(4, 2, 300)
    method = SnapKV(0.8, window=32, local=9)
    before, inside = query.clone(), query.clone()
    before[:, 100:268] *= -1
    inside[:, 268:] *= -1

    kept = method.select(query, key, 0.25)

    assert torch.equal(method.select(before, key, 0.25), kept)
    assert not torch.equal(method.select(inside, key, 0.25), kept)


def test_ties_go_to_the_earlier_token() -> None:
    query = torch.zeros(1, 100, 16)

    kept = SnapKV(0.5, window=1, local=10, sinks=0, pool=1).select(query, query, 0.25)

    assert kept[0].nonzero().flatten().tolist() == [*range(40), *range(90, 100)]


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.67, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("length", [1000, 2048, 4096])
def test_every_head_holds_the_declared_sparsity(length: int, sparsity: float) -> None:
    query, key = tensors(4, 2, length)
    method = SnapKV(sparsity)
    method.check(length)

    kept = method.select(query, key, 0.25).double().mean(dim=1)

    torch.testing.assert_close(1 - kept, torch.full_like(kept, sparsity), atol=0.5 / length, rtol=0)


@pytest.mark.parametrize("length", [1, 3, 63, 1000, 4097, 5000])
def test_reach_is_what_the_forced_tokens_leave(length: int) -> None:
    query, key = tensors(1, 1, length)

    kept = SnapKV(0.9999).select(query, key, 0.25)

    assert SnapKV(0.5).reach(length) == pytest.approx(1 - float(kept.double().mean()))


def test_given_windows_do_not_shrink() -> None:
    assert SnapKV(0.5).reach(1024) == pytest.approx(1 - (4 + 32) / 1024)
    assert SnapKV(0.5, local=128).reach(1024) == pytest.approx(1 - (4 + 128) / 1024)
    assert SnapKV(0.5).reach(8192) == pytest.approx(1 - (4 + 128) / 8192)


def test_more_than_the_reach_is_refused_with_the_range() -> None:
    with pytest.raises(MethodError, match=r"cannot reach sparsity 0.97 at 1024 tokens.*reachable: 0 to 0.96"):
        SnapKV(0.97).check(1024)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"window": 0}, "window 0"), ({"local": 0}, "local 0"), ({"sinks": -1}, "sinks -1"), ({"pool": 4}, "pool 4")],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, int], said: str) -> None:
    with pytest.raises(MethodError, match=said):
        SnapKV(0.5, **parameters)
