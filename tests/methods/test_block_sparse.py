"""Block-Sparse against a loop-by-loop definition, and its budget."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sparsetol_kernels.selection import KeySelection
from torch import Tensor

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.load import load_model
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.block_sparse import BlockSparse, Lists, block_counts
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import save_model

LEVELS = [0.0, 0.5, 0.67, 0.8, 0.9, 0.95]


def tensors(heads: int, groups: int, length: int, seed: int = 42) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(heads, length, 16, generator=generator),
        torch.randn(groups, length, 16, generator=generator),
    )


def blocks_by_definition(queries: Tensor, key: Tensor, size: int, row: int, count: int) -> list[int]:
    """The key blocks of query block `row` of heads that share a list, best first after the forced ones."""
    mine = [query[row * size : (row + 1) * size].double().mean(dim=0) for query in queries]
    products = {}
    for column in range(row + 1):
        theirs = key[column * size : (column + 1) * size].double().mean(dim=0)
        products[column] = sum(float(one @ theirs) for one in mine) / len(mine)
    forced = {0, row, row - 1} & set(products)
    rest = sorted(set(products) - forced, key=lambda column: (-products[column], column))
    return [*sorted(forced), *rest][:count]


@pytest.mark.parametrize(("heads", "groups"), [(2, 2), (6, 2), (4, 1)])
@pytest.mark.parametrize(("length", "block"), [(1, 16), (63, 16), (200, 16), (1000, 64)])
@pytest.mark.parametrize("sparsity", [0.0, 0.4, 0.7])
@pytest.mark.parametrize("lists", ["query_head", "key_head"])
def test_selection_is_the_forced_and_the_best_blocks(
    lists: Lists, sparsity: float, length: int, block: int, heads: int, groups: int
) -> None:
    query, key = tensors(heads, groups, length)
    counts = block_counts(length, block, sparsity)
    sharing = heads // groups if lists == "key_head" else 1

    selection = BlockSparse(sparsity, block=block, lists=lists).select(query, key, 0.25)

    expected = torch.zeros(heads, len(counts), length, dtype=torch.bool)
    for first in range(0, heads, sharing):
        for row, count in enumerate(counts):
            queries, owner = query[first : first + sharing], key[first * groups // heads]
            for column in blocks_by_definition(queries, owner, block, row, count):
                expected[first : first + sharing, row, column * block : (column + 1) * block] = True
    assert selection.block == block
    assert torch.equal(selection.keys, expected)
    assert torch.equal(selection.attended(), KeySelection(expected, block).attended())
    assert torch.equal(selection.loaded(), KeySelection(expected, block).loaded())


@pytest.mark.parametrize("sparsity", LEVELS)
@pytest.mark.parametrize("length", [1000, 1024, 2048, 4096])
def test_the_declared_sparsity_is_held_or_refused(length: int, sparsity: float) -> None:
    method = BlockSparse(sparsity)
    if sparsity > method.reach(length):
        with pytest.raises(MethodError, match="cannot reach"):
            method.check(length)
        return
    method.check(length)

    measured = 1 - method.select(*tensors(2, 1, length), 0.25).attended()

    # Half a block of 16 x 16 in the whole matrix.
    torch.testing.assert_close(measured, torch.full_like(measured, sparsity), atol=128 / (length**2 / 2), rtol=0)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 40, 63, 777])
def test_sparsity_zero_selects_every_causal_key(length: int) -> None:
    selection = BlockSparse(0.0).select(*tensors(3, 1, length), 0.25)

    last = torch.arange(16, length + 16, 16).clamp(max=length)[:, None]
    assert torch.equal(selection.keys, (torch.arange(length) < last).expand(3, -1, -1))
    assert selection.attended().tolist() == [1.0] * 3


def test_first_own_and_previous_block_are_kept_however_low_they_score() -> None:
    query, key = torch.ones(1, 512, 16), torch.ones(1, 512, 16)
    for row in range(32):
        key[0, row * 16 : (row + 1) * 16] = 1.0 if row in (3, 4, 5) else -float(row + 1)

    selection = BlockSparse(0.5).select(query, key, 0.25)

    blocks = selection.keys[0, :, ::16]
    for row in range(32):
        assert blocks[row, [0, max(0, row - 1), row]].all()
    assert blocks[8:, [3, 4, 5]].all()


def test_ties_go_to_the_earlier_block() -> None:
    method = BlockSparse(0.6)
    query, key = torch.zeros(1, 512, 16), torch.zeros(1, 512, 16)

    blocks = method.select(query, key, 0.25).keys[0, :, ::16]

    for row, count in enumerate(block_counts(512, 16, 0.6)):
        expected = sorted({0, max(0, row - 1), row} | set(range(max(1, count - 2))))
        assert blocks[row].nonzero().flatten().tolist() == expected


@pytest.mark.parametrize("sparsity", [0.6, 0.67, 0.8, 0.85])
def test_counts_differ_by_one_and_the_larger_ones_are_spread(sparsity: float) -> None:
    counts = block_counts(2048, 16, sparsity)
    full = counts[max(counts) :]
    half = len(full) // 2

    assert set(full) == {min(full), min(full) + 1}
    assert sum(full[:half]) / half == pytest.approx(sum(full[-half:]) / half, abs=0.05)


@pytest.mark.parametrize(("sparsity", "blocks"), [(0.95, 26), (0.9, 53), (0.8, 108), (0.667, 188), (0.5, 300)])
def test_counts_are_those_of_the_paper_at_16k(sparsity: float, blocks: int) -> None:
    """The paper counts diagonal blocks whole, so that its budget buys up to half a block less."""
    counts = block_counts(16384, 16, sparsity)

    assert blocks - 1 <= sum(counts[600:]) / len(counts[600:]) <= blocks + 1.5


@pytest.mark.parametrize(("block", "length"), [(None, 1024), (None, 2048), (16, 63), (128, 1024), (64, 1000)])
def test_reach_is_what_the_forced_blocks_leave(block: int | None, length: int) -> None:
    least = BlockSparse(0.999, block=block).select(*tensors(1, 1, length), 0.25).attended()

    assert BlockSparse(0.5, block=block).reach(length) == pytest.approx(1 - float(least[0]), abs=1e-12)


def test_blocks_grow_from_8k_on() -> None:
    assert [BlockSparse(0.5).size(length) for length in (1024, 8191, 8192, 32768)] == [16, 16, 128, 128]
    assert BlockSparse(0.5, block=64).size(32768) == 64
    for length in (8192, 16384, 32768):
        BlockSparse(0.9).check(length)


def test_more_than_the_reach_is_refused_with_the_range() -> None:
    with pytest.raises(MethodError, match=r"cannot reach sparsity 0.95 at 1024 tokens.*reachable: 0 to 0.92"):
        BlockSparse(0.95).check(1024)


def test_blocks_too_large_for_the_length_are_refused() -> None:
    refused = []
    for percent in range(40):
        method = BlockSparse(percent / 100, block=128)
        measured = 1 - float(method.select(*tensors(1, 1, 1024), 0.25).attended()[0])
        if abs(measured - percent / 100) <= 0.01:
            method.check(1024)
        else:
            refused.append(percent)
            with pytest.raises(MethodError, match=f"the nearest is {measured:.3f}"):
                method.check(1024)
    assert 0 < len(refused) < 40


def test_a_block_without_tokens_is_refused() -> None:
    with pytest.raises(MethodError, match="block 0 must be at least 1 token"):
        BlockSparse(0.5, block=0)


def test_lists_of_anything_else_are_refused() -> None:
    with pytest.raises(MethodError, match="lists 'head' must be one of query_head, key_head"):
        BlockSparse(0.5, lists="head")  # type: ignore[arg-type]  # as a contract may have it


def test_a_report_names_lists_that_are_not_the_papers() -> None:
    assert BlockSparse(0.5).settings(1024) == {"block": 16, "blocks": None, "lists": None}
    assert BlockSparse(0.5, lists="key_head").settings(1024) == {"block": 16, "blocks": None, "lists": "key_head"}


def test_loaded_counts_whole_blocks() -> None:
    selection = BlockSparse(0.0).select(*tensors(1, 1, 160), 0.25)

    assert float(selection.loaded()[0]) == pytest.approx(55 * 256 / (160 * 161 / 2))


@pytest.mark.parametrize("lists", ["query_head", "key_head"])
def test_a_model_runs_at_the_declared_sparsity(lists: Lists, tmp_path: Path) -> None:
    folder = save_model("llama", tmp_path)
    loaded = load_model(ModelFiles("directory", "llama", folder), ModelSpec(path=str(folder), dtype="float32"))
    generator = torch.Generator().manual_seed(5)
    prompts = [torch.randint(5, 256, (length,), generator=generator).tolist() for length in (500, 512)]

    policy = Policy(BlockSparse(0.8, lists=lists))
    sparse, current = generate(loaded, prompts, [2, 2], policy)

    assert current.meter.measured("prefill") == pytest.approx(0.8, abs=0.002)
    # One for each query head, layer and prompt, however many share a list.
    assert current.meter.entries["prefill"] == 4 * 2 * 2
    assert sparse[1] == generate(loaded, prompts[1:], [2], policy)[0][0]
    whole = generate(loaded, prompts[:1], [2], Policy(BlockSparse(0.0, lists=lists)))[0]
    assert whole == generate(loaded, prompts[:1], [2], DENSE)[0]
