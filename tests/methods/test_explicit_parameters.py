"""Parameters in place of a sparsity: the papers' own numbers act, and what is measured is the claim."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from sparsetol_kernels.vertical_slash import vertical_slash_scores
from sparsetol_suites.located_yaml import LocatedError

from pytest_sparsetol.cells import cells, empty_result
from pytest_sparsetol.contract import load_contract
from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from pytest_sparsetol.methods.block_sparse import BlockSparse
from pytest_sparsetol.methods.flexprefill import FlexPrefill
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.sliding_window import SlidingWindow
from pytest_sparsetol.methods.snapkv import SnapKV
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from pytest_sparsetol.report.detail import describe_cell
from pytest_sparsetol.testing import Case
from pytest_sparsetol.testing.prefill import pairs
from pytest_sparsetol.verdict import not_exercised
from tests.contract.samples import GOOD, write
from tests.methods.test_flexprefill import count_by_definition, lines_by_definition
from tests.methods.test_vertical_slash import keys_of_lines

CASE = Case(400, key_heads=2)
QUERY, KEY, _ = CASE.tensors()


@pytest.mark.parametrize(("verticals", "slashes"), [(0, 0), (4, 64), (30, 20), (12, 90), (400, 400)])
def test_vertical_slash_takes_the_numbers_given(verticals: int, slashes: int) -> None:
    selection = VerticalSlash(None, verticals=verticals, slashes=slashes, local=8).select(QUERY, KEY, CASE.scale)

    columns, diagonals = vertical_slash_scores(QUERY, KEY, CASE.scale, 256)
    for head in range(4):
        expected = keys_of_lines(
            lines_by_definition(columns[head], verticals, 4), lines_by_definition(diagonals[head], slashes, 8), 400, 64
        )
        assert torch.equal(selection.keys[head], expected)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.65, 0.9, 1.0])
def test_flexprefill_covers_the_share_given(alpha: float) -> None:
    selection = FlexPrefill(None, alpha=alpha, min_budget=10, local=8).select(QUERY, KEY, CASE.scale)

    columns, diagonals = vertical_slash_scores(QUERY, KEY, CASE.scale, 256)
    for head in range(4):
        counts = [count_by_definition(scores[head], alpha, 10) for scores in (columns, diagonals)]
        expected = keys_of_lines(
            lines_by_definition(columns[head], counts[0], 4),
            lines_by_definition(diagonals[head], counts[1], 8),
            400,
            64,
        )
        assert torch.equal(selection.keys[head], expected)


@pytest.mark.parametrize("sparsity", [0.2, 0.4, 0.6])
def test_the_alpha_that_a_sparsity_came_to_gives_that_sparsity(sparsity: float) -> None:
    """What a report calls found is what a serving stack would be given, to within the columns that fill up."""
    selection = FlexPrefill(sparsity, min_budget=2, local=8).select(QUERY, KEY, CASE.scale)

    alpha = float(selection.found["alpha"])
    again = FlexPrefill(None, alpha=alpha, min_budget=2, local=8).select(QUERY, KEY, CASE.scale)

    assert 0 < alpha < 1
    assert not (again.keys & ~selection.keys).any()
    assert 1 - float(again.attended().mean()) == pytest.approx(sparsity, abs=0.03)


def test_the_lines_that_a_sparsity_came_to_give_that_sparsity() -> None:
    selection = VerticalSlash(0.5, local=8).select(QUERY, KEY, CASE.scale)

    for head in range(4):
        numbers = {name: int(values[head]) for name, values in selection.found.items()}
        again = VerticalSlash(None, local=8, **numbers).select(QUERY, KEY, CASE.scale)
        assert torch.equal(again.keys[head], selection.keys[head])


@pytest.mark.parametrize("blocks", [1, 3, 7, 100])
def test_block_sparse_takes_as_many_blocks_for_each(blocks: int) -> None:
    selection = BlockSparse(None, blocks=blocks).select(QUERY, KEY, CASE.scale)

    counts = selection.keys[:, :, ::16].sum(dim=2)
    assert counts.tolist() == [[min(row + 1, max(3, blocks)) for row in range(25)]] * 4


@pytest.mark.parametrize("window", [0, 40, 1000])
def test_sliding_window_takes_the_window_given(window: int) -> None:
    found = pairs(SlidingWindow(None, window=window).select(QUERY, KEY, CASE.scale))[0]

    row, column = torch.arange(400)[:, None], torch.arange(400)[None]
    assert torch.equal(found, (column <= row) & ((column < 4) | (column >= row // 16 * 16 - window)))


@pytest.mark.parametrize("budget", [16, 64, 128])
def test_quest_reads_the_budget_and_the_current_page(budget: int) -> None:
    method = Quest(None, token_budget=budget)

    selection = method.select(method.new_state(), QUERY[:, 390], KEY[:, :391])

    assert selection.count.tolist() == [budget + 391 % 16] * 2


@pytest.mark.parametrize("method", [SnapKV(None, capacity=100), AdaSnapKV(None, capacity=100)])
def test_kv_methods_keep_the_capacity(method: SnapKV) -> None:
    kept = method.select(QUERY, KEY, CASE.scale)

    assert int(kept.sum()) == 200
    assert method.least_kept(400) <= int(kept.sum(dim=1).min())


def test_a_sparsity_and_its_parameters_exclude_each_other() -> None:
    with pytest.raises(MethodError, match="capacity: snapkv takes a sparsity or capacity, not both"):
        SnapKV(0.5, capacity=100)
    with pytest.raises(MethodError, match="vertical_slash needs a sparsity, or verticals and slashes in its place"):
        VerticalSlash(None, verticals=100)
    with pytest.raises(MethodError, match="blocks -1 must be at least 0"):
        BlockSparse(None, blocks=-1)
    with pytest.raises(MethodError, match=r"alpha 1.5 must be at most 1"):
        FlexPrefill(None, alpha=1.5)


@pytest.mark.parametrize(
    "method",
    [
        Quest(None, token_budget=1024),
        SnapKV(None, capacity=1024),
        BlockSparse(None, blocks=64),
        SlidingWindow(None, window=1024),
    ],
)
def test_parameters_that_leave_nothing_out_are_refused(method: Any) -> None:
    method.check(4096)
    with pytest.raises(MethodError, match=r"all.* (of|at) 1024 tokens"):
        method.check(1024)


LINE = "decode: {method: quest, sparsity: 0.90}"


def contract(folder: Path, line: str) -> Path:
    return write(folder, GOOD.replace(LINE, line))


def test_a_contract_may_give_parameters_and_then_claims_what_is_measured(tmp_path: Path) -> None:
    loaded = load_contract(contract(tmp_path, "decode: {method: quest, token_budget: 128}"))
    cell = next(iter(cells(loaded)))

    result = empty_result(loaded, cell, "n", "PASS", "")

    assert loaded.method("quest-10x", "decode", 1024) == Quest(None, token_budget=128)
    assert result.declared_sparsity == {"prefill": None, "kv": None, "decode": None}
    assert result.methods == {"prefill": None, "kv": None, "decode": "quest page_size=16 token_budget=128"}
    result.measured_sparsity["decode"] = 0.87
    result.loaded_sparsity["decode"] = 0.8
    assert not_exercised(result, []) is None
    shown = "\n".join(describe_cell(dataclasses.replace(result, degradation=0.0, lower=0.0, upper=0.1)))
    assert "decode as measured, 0.870 measured, 0.800 of loads saved" in shown
    assert "method       decode quest page_size=16 token_budget=128" in shown
    result.measured_sparsity["decode"] = 0.004
    assert not_exercised(result, []) == (
        "decode is given by parameters (quest page_size=16 token_budget=128) and they left out 0.004 of the work"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "decode: {method: quest}",
            "missing key 'sparsity' in deployments.quest-10x.decode (or token_budget in its place)",
        ),
        (
            "decode: {method: quest, sparsity: 0.9, token_budget: 128}",
            "deployments.quest-10x.decode: token_budget: quest takes a sparsity or token_budget, not both",
        ),
        (
            "decode: {method: quest, token_budget: 2000}",
            "8:43: deployments.quest-10x.decode: token_budget 2000: quest would read all of 1024 tokens",
        ),
        ("decode: {method: quest, token_budget: many}", "token_budget: 'many': input should be a valid integer"),
        (
            "prefill: {method: vertical_slash, slashes: 9}",
            "vertical_slash needs a sparsity, or verticals and slashes in its place",
        ),
    ],
)
def test_contracts_that_give_neither_or_both_are_refused(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(LocatedError) as caught:
        load_contract(contract(tmp_path, line))

    assert said in str(caught.value)


def test_block_sizes_and_windows_are_named_as_they_act() -> None:
    assert BlockSparse(0.8).settings(4096)["block"] == 16
    assert BlockSparse(0.8).settings(8192)["block"] == 128
    assert VerticalSlash(0.8).settings(1024)["local"] == 16
    assert VerticalSlash(0.8).settings(32768)["local"] == 64
    assert FlexPrefill(0.8).settings(1024)["min_budget"] == 32
    assert SnapKV(0.8).settings(1024) == {"window": 64, "local": 32, "sinks": 4, "pool": 21, "capacity": 205}
