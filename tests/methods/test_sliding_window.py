"""The sliding window against a loop over rows and keys, and its budget."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.load import load_model
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.sliding_window import SlidingWindow
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import save_model


def tensors(heads: int, groups: int, length: int, seed: int = 42) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(heads, length, 8, generator=generator), torch.randn(groups, length, 8, generator=generator)


def attended_pairs(keys: Tensor, block: int) -> Tensor:
    """The matrix of rows by keys that one head's selection means."""
    length = keys.shape[1]
    rows = torch.arange(length)
    return keys[rows // block] & (rows[None] <= rows[:, None])


@pytest.mark.parametrize(("heads", "groups"), [(2, 2), (6, 2), (4, 1)])
@pytest.mark.parametrize(("length", "block", "sinks"), [(1, 16, 4), (63, 16, 4), (130, 16, 0), (200, 64, 20)])
@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.6])
def test_selection_is_sinks_window_and_own_block(
    sparsity: float, length: int, block: int, sinks: int, heads: int, groups: int
) -> None:
    method = SlidingWindow(sparsity, sinks=sinks, block=block)
    window = method.window_at(length)

    selection = method.select(*tensors(heads, groups, length), 0.25)

    expected = torch.zeros(length, length, dtype=torch.bool)
    for row in range(length):
        start = row // block * block
        for column in range(row + 1):
            expected[row, column] = column < sinks or column >= start - window
    assert selection.keys.shape[0] == heads
    for head in range(heads):
        assert torch.equal(attended_pairs(selection.keys[head], block), expected)
    for number, start in enumerate(range(0, length, block)):
        assert not selection.keys[:, number, start + block :].any()


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.67, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("length", [1000, 1024, 2048, 4096])
def test_the_declared_sparsity_is_held(length: int, sparsity: float) -> None:
    method = SlidingWindow(sparsity)
    method.check(length)

    measured = 1 - method.select(*tensors(2, 1, length), 0.25).attended()

    torch.testing.assert_close(measured, torch.full_like(measured, sparsity), atol=1 / length, rtol=0)


@pytest.mark.parametrize("length", [1, 15, 63, 777])
def test_sparsity_zero_selects_every_causal_key(length: int) -> None:
    selection = SlidingWindow(0.0).select(*tensors(2, 1, length), 0.25)

    assert attended_pairs(selection.keys[0], 16).sum() == length * (length + 1) // 2


@pytest.mark.parametrize(("length", "block"), [(1, None), (63, None), (1024, None), (1000, 64), (2048, None)])
def test_reach_is_what_sinks_and_own_blocks_leave(length: int, block: int | None) -> None:
    least = SlidingWindow(0.9999, block=block).select(*tensors(1, 1, length), 0.25).attended()

    assert SlidingWindow(0.5, block=block).reach(length) == pytest.approx(1 - float(least[0]), abs=1e-12)


def test_more_than_the_reach_is_refused_with_the_range() -> None:
    SlidingWindow(0.95).check(1024)
    with pytest.raises(MethodError, match=r"cannot reach sparsity 0.99 at 1024 tokens.*reachable: 0 to 0.98"):
        SlidingWindow(0.99).check(1024)


def test_prompts_too_short_for_whole_tokens_are_refused() -> None:
    refused = 0
    for percent in range(30):
        method = SlidingWindow(percent / 100, block=4)
        measured = 1 - float(method.select(*tensors(1, 1, 24), 0.25).attended()[0])
        if abs(measured - percent / 100) <= 0.01:
            method.check(24)
        else:
            refused += 1
            with pytest.raises(MethodError, match=f"the nearest is {measured:.3f}"):
                method.check(24)
    assert 0 < refused < 30


def test_rows_grow_from_8k_on() -> None:
    assert [SlidingWindow(0.5).size(length) for length in (1024, 8191, 8192, 32768)] == [16, 16, 128, 128]
    for length in (8192, 32768):
        SlidingWindow(0.95).check(length)


@pytest.mark.parametrize(("parameters", "said"), [({"sinks": -1}, "sinks -1"), ({"block": 0}, "block 0")])
def test_impossible_parameters_are_refused(parameters: dict[str, int], said: str) -> None:
    with pytest.raises(MethodError, match=said):
        SlidingWindow(0.5, **parameters)


def test_a_model_runs_at_the_declared_sparsity(tmp_path: Path) -> None:
    folder = save_model("llama", tmp_path)
    loaded = load_model(ModelFiles("directory", "llama", folder), ModelSpec(path=str(folder), dtype="float32"))
    generator = torch.Generator().manual_seed(5)
    prompts = [torch.randint(5, 256, (length,), generator=generator).tolist() for length in (500, 512)]

    sparse, current = generate(loaded, prompts, [2, 2], Policy(SlidingWindow(0.8)))

    assert current.meter.measured("prefill") == pytest.approx(0.8, abs=0.002)
    assert sparse[1] == generate(loaded, prompts[1:], [2], Policy(SlidingWindow(0.8)))[0][0]
    whole = generate(loaded, prompts[:1], [2], Policy(SlidingWindow(0.0)))[0]
    assert whole == generate(loaded, prompts[:1], [2], DENSE)[0]
