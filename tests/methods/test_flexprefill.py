"""FlexPrefill against counting lines by coverage, and its budget for a whole layer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sparsetol_kernels.coverage import coverage_before
from sparsetol_kernels.vertical_slash import vertical_slash_scores
from torch import Tensor

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.load import load_model
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.flexprefill import FlexPrefill
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import save_model
from tests.methods.test_vertical_slash import keys_of_lines


def tensors(heads: int, groups: int, length: int, seed: int = 42) -> tuple[Tensor, Tensor]:
    """Heads from scattered to concentrated attention."""
    generator = torch.Generator().manual_seed(seed)
    sharpness = torch.linspace(0.5, 4.0, heads)[:, None, None]
    return (
        sharpness * torch.randn(heads, length, 16, generator=generator),
        torch.randn(groups, length, 16, generator=generator),
    )


def count_by_definition(scores: Tensor, alpha: float, least: int) -> int:
    """max(least, the fewest lines that cover a share alpha)."""
    covered, count = 0.0, 0
    total = float(scores.double().sum())
    for mass in sorted(scores.double().tolist(), reverse=True):
        if covered >= alpha * total:
            break
        covered, count = covered + mass, count + 1
    return max(least, count)


def lines_by_definition(scores: Tensor, count: int, forced: int) -> list[int]:
    rest = sorted(range(min(forced, len(scores)), len(scores)), key=lambda line: (-float(scores[line]), line))
    return [*range(min(forced, len(scores))), *rest][: max(count, forced)]


def pairs(keys: Tensor) -> int:
    rows = torch.arange(keys.shape[1])
    return int((keys[rows // 64] & (rows[None] <= rows[:, None])).sum())


@pytest.mark.parametrize(
    ("heads", "groups", "length", "sparsity"),
    [(6, 2, 63, 0.0), (2, 2, 200, 0.2), (3, 1, 321, 0.2), (4, 1, 321, 0.4), (2, 1, 1000, 0.4)],
)
def test_selection_is_that_of_the_largest_coverage(heads: int, groups: int, length: int, sparsity: float) -> None:
    query, key = tensors(heads, groups, length)
    method = FlexPrefill(sparsity, window=32, local=8, min_budget=2)
    verticals, slashes = vertical_slash_scores(query, key, 0.25, 32)
    budget = int((1 - sparsity) * heads * (length * (length + 1) // 2))

    def layer(alpha: float) -> list[Tensor]:
        return [
            keys_of_lines(
                lines_by_definition(verticals[head], count_by_definition(verticals[head], alpha, 2), 4),
                lines_by_definition(slashes[head], count_by_definition(slashes[head], alpha, 2), 8),
                length,
                64,
            )
            for head in range(heads)
        ]

    found = method.select(query, key, 0.25).keys

    # Just above each line's own coverage, one line more is taken: the last alpha that fits, by bisection.
    sorted_mass = torch.cat([verticals, slashes]).sort(descending=True).values
    steps = sorted(set(coverage_before(sorted_mass).flatten().tolist()))
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high + 1) // 2
        fits = sum(pairs(keys) for keys in layer(steps[middle] + 1e-13)) <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    expected = torch.stack(layer(steps[low] + 1e-13))
    assert not (expected & ~found).any()
    extra = found & ~expected
    assert sum(pairs(keys) for keys in found) <= budget
    assert sum(pairs(keys) for keys in found) > budget - length - 1
    for head in range(heads):
        # Nothing but whole columns was added, the best of those that were left.
        added = extra[head].any(dim=0).nonzero().flatten().tolist()
        assert torch.equal(found[head], expected[head] | keys_of_lines(added, [], length, 64))
        order = lines_by_definition(verticals[head], length, 4)
        whole = [column for column in order if found[head, column // 64 :, column].all()]
        if added:
            assert set(order[: max(order.index(column) for column in added) + 1]) <= set(whole)


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.67, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("length", [1000, 1024, 2048, 4096])
def test_a_layer_holds_the_declared_sparsity_or_it_is_refused(length: int, sparsity: float) -> None:
    method = FlexPrefill(sparsity)
    if sparsity > method.reach(length):
        with pytest.raises(MethodError, match="cannot reach"):
            method.check(length)
        return
    method.check(length)

    measured = 1 - float(method.select(*tensors(2, 1, length), 0.25).attended().mean())

    assert measured == pytest.approx(sparsity, abs=1 / length)


def test_heads_with_scattered_attention_get_more() -> None:
    attended = FlexPrefill(0.6, local=8, min_budget=2).select(*tensors(6, 2, 1000), 0.25).attended()

    assert float(attended.mean()) == pytest.approx(0.4, abs=0.001)
    assert float(attended[0]) > float(attended[-1]) + 0.1


def test_a_floor_that_does_not_fit_makes_heads_alike() -> None:
    """Then the lines are those of Vertical-Slash at a uniform number, to a line or two."""
    query, key = tensors(3, 1, 1024)
    attended = FlexPrefill(0.5, local=8, min_budget=512).select(query, key, 0.25).attended()

    assert float(attended.mean()) == pytest.approx(0.5, abs=0.001)
    assert float(attended.max() - attended.min()) < 0.2
    uniform = VerticalSlash(0.5, local=8).select(query, key, 0.25)
    flexible = FlexPrefill(0.5, local=8, min_budget=512).select(query, key, 0.25)
    assert float((uniform.keys == flexible.keys).double().mean()) > 0.9


@pytest.mark.parametrize("sparsity", [0.3, 0.7])
def test_sinks_and_local_diagonals_are_kept_and_causality_holds(sparsity: float) -> None:
    length = 400
    query, key = tensors(3, 1, length)

    keys = FlexPrefill(sparsity, local=16).select(query, key, 0.25).keys

    least = keys_of_lines([0, 1, 2, 3], list(range(16)), length, 64)
    assert keys[:, least].all()
    for number in range(keys.shape[1]):
        assert not keys[:, number, (number + 1) * 64 :].any()


@pytest.mark.parametrize("length", [1, 63, 64, 333])
def test_sparsity_zero_selects_every_causal_key(length: int) -> None:
    assert FlexPrefill(0.0).select(*tensors(3, 1, length), 0.25).attended().tolist() == [1.0] * 3


def test_ties_are_decided_alike_every_time() -> None:
    query, key = torch.zeros(3, 300, 16), torch.zeros(1, 300, 16)
    method = FlexPrefill(0.4, local=8)

    first, second = (method.select(query, key, 0.25) for _ in range(2))

    assert torch.equal(first.keys, second.keys)
    assert float(first.attended().mean()) == pytest.approx(0.6, abs=0.005)


@pytest.mark.parametrize("length", [1, 64, 1000, 1024])
def test_reach_is_what_the_forced_lines_leave(length: int) -> None:
    least = FlexPrefill(0.999).select(*tensors(2, 1, length), 0.25).attended()

    assert FlexPrefill(0.5).reach(length) == pytest.approx(1 - float(least.mean()))


def test_the_floor_grows_with_the_prompt() -> None:
    assert [FlexPrefill(0.5).floor(length) for length in (1024, 4096, 16384, 32768)] == [32, 128, 512, 512]
    assert FlexPrefill(0.5, min_budget=7).floor(1024) == 7


@pytest.mark.parametrize(
    ("parameters", "said"), [({"window": 0}, "window 0"), ({"local": 0}, "local 0"), ({"min_budget": -1}, "min_budget")]
)
def test_impossible_parameters_are_refused(parameters: dict[str, int], said: str) -> None:
    with pytest.raises(MethodError, match=said):
        FlexPrefill(0.5, **parameters)


def test_a_model_runs_at_the_declared_sparsity(tmp_path: Path) -> None:
    folder = save_model("llama", tmp_path)
    loaded = load_model(ModelFiles("directory", "llama", folder), ModelSpec(path=str(folder), dtype="float32"))
    generator = torch.Generator().manual_seed(5)
    prompts = [torch.randint(5, 256, (length,), generator=generator).tolist() for length in (500, 512)]

    sparse, current = generate(loaded, prompts, [2, 2], Policy(FlexPrefill(0.5)))

    assert current.meter.measured("prefill") == pytest.approx(0.5, abs=0.002)
    assert sparse[1] == generate(loaded, prompts[1:], [2], Policy(FlexPrefill(0.5)))[0][0]
    whole = generate(loaded, prompts[:1], [2], Policy(FlexPrefill(0.0)))[0]
    assert whole == generate(loaded, prompts[:1], [2], DENSE)[0]
