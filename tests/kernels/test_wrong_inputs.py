"""Scores and selections refuse what would give a wrong number, and name operation, argument, found and wanted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sparsetol_kernels.block_selection import select_blocks
from sparsetol_kernels.block_sparse_attention import block_sparse_attention
from sparsetol_kernels.errors import InputError
from sparsetol_kernels.line_budget import lines_that_fit
from sparsetol_kernels.page_bounds import update_page_bounds
from sparsetol_kernels.quest_select import quest_select
from sparsetol_kernels.snapkv import snapkv_scores
from sparsetol_kernels.sparse_decode import sparse_decode_attention
from sparsetol_kernels.vertical_slash import vertical_slash_scores
from sparsetol_kernels.vertical_slash_attention import vertical_slash_attention

LAST: dict[str, Any] = {"query": torch.zeros(4, 17, 8), "key": torch.zeros(2, 17, 8), "scale": 0.3, "window": 5}
WRONG_LAST = [
    ({"query": torch.zeros(17, 8)}, r"query has shape \[17, 8\]; wanted \[query heads, length, head size\]"),
    ({"key": torch.zeros(2, 16, 8)}, r"key has shape \[2, 16, 8\]; wanted \[key heads, length 17, head size 8\]"),
    ({"key": torch.zeros(3, 17, 8)}, "4 query heads must be a multiple of the 3 key heads"),
    ({"key": torch.zeros(0, 17, 8)}, "4 query heads must be a multiple of the 0 key heads"),
    ({"key": torch.zeros(2, 17, 8).half()}, "query and key must share one dtype and device"),
    ({"key": torch.zeros(2, 17, 8, device="meta")}, "query and key must share one dtype and device"),
    ({"query": torch.zeros(4, 17, 8).int(), "key": torch.zeros(2, 17, 8).int()}, "query is torch.int32; wanted"),
    ({"query": torch.zeros(4, 0, 8), "key": torch.zeros(2, 0, 8)}, r"query has shape \[4, 0, 8\]; none may be 0"),
    ({"window": 0}, "window 0 must be at least 1"),
    ({"scale": float("nan")}, "scale nan must be above 0"),
]


@pytest.mark.parametrize(("changed", "message"), WRONG_LAST)
def test_scores_of_the_last_queries(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"vertical_slash_scores: {message}"):
        vertical_slash_scores(**LAST | changed)
    with pytest.raises(InputError, match=f"snapkv_scores: {message}"):
        snapkv_scores(**LAST | {"pool": 3, "over": "mean"} | changed)


@pytest.mark.parametrize(("changed", "message"), [({"pool": 4}, "pool 4 must be odd"), ({"over": "sum"}, "over 'sum'")])
def test_pooling(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"snapkv_scores: {message}"):
        snapkv_scores(**LAST | {"pool": 3, "over": "mean"} | changed)


@pytest.mark.parametrize("scale", [0.0, float("inf"), float("nan")])
def test_scales(scale: float) -> None:
    query, key = torch.zeros(1, 2, 32, 16), torch.zeros(1, 2, 32, 16)
    lists = torch.zeros(1, 2, 2, 1, dtype=torch.int32), torch.ones(1, 2, 2, dtype=torch.int32)
    lines = torch.ones(1, 2, 32, dtype=torch.bool)
    pages = torch.zeros(1, 2, 1, dtype=torch.int32), torch.ones(1, 2, dtype=torch.int32)

    with pytest.raises(InputError, match="block_sparse_attention: scale"):
        block_sparse_attention(query, key, key, *lists, block=16, scale=scale)
    with pytest.raises(InputError, match="vertical_slash_attention: scale"):
        vertical_slash_attention(query, key, key, lines, lines, scale=scale)
    with pytest.raises(InputError, match="sparse_decode_attention: scale"):
        sparse_decode_attention(query[:, :, 0], key, key, *pages, page_size=16, scale=scale)


def test_heads_of_size_0() -> None:
    nothing = torch.zeros(1, 2, 32, 0)
    lists = torch.zeros(1, 2, 2, 1, dtype=torch.int32), torch.ones(1, 2, 2, dtype=torch.int32)

    with pytest.raises(InputError, match="head size must be at least 1"):
        block_sparse_attention(nothing, nothing, nothing, *lists, block=16)


def test_counts_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSETOL_KERNELS_DEBUG", "1")
    query = torch.zeros(1, 2, 48, 16)

    for counts, message in (
        ([1, 3, 2], r"counts\[1\] is 3; wanted 1 to 2"),
        ([1, 0, 2], r"counts\[1\] is 0; wanted 1 to 2"),
        ([1, 2, 3], r"counts\[2\] is 3; wanted 1 to 2"),
    ):
        with pytest.raises(InputError, match=f"select_blocks: {message}"):
            select_blocks(query, query, torch.tensor(counts, dtype=torch.int32), 2, 16)
    with pytest.raises(InputError, match="select_blocks: most -1"):
        select_blocks(query, query, torch.tensor([1, 2, 2], dtype=torch.int32), -1, 16)


def test_budgets_of_lines() -> None:
    ranks = torch.zeros(2, 5, dtype=torch.int32)

    with pytest.raises(InputError, match="lines_that_fit: block 0 must be at least 1 row"):
        lines_that_fit(ranks, ranks, 4, block=0)
    with pytest.raises(InputError, match=r"column_rank has shape \[2, 0\]; none may be 0"):
        lines_that_fit(ranks[:, :0], ranks[:, :0], 4, block=16)


def test_sequences_and_budgets_of_quest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSETOL_KERNELS_DEBUG", "1")
    query, key = torch.zeros(2, 4, 16), torch.zeros(2, 2, 40, 16)
    low, high = torch.zeros(2, 2, 2, 5, 16)
    right = {
        "starts": torch.tensor([0, 3], dtype=torch.int32), "lengths": torch.tensor([40, 37], dtype=torch.int32),
        "budget": torch.tensor([2, 0], dtype=torch.int32),
    }  # fmt: skip
    for name, numbers, message in (
        ("starts", [0, -1], "sequence 1 starts at -1 and has 37 tokens"),
        ("starts", [1, 3], "sequence 0 starts at 1 and has 40 tokens, which must be at least .* within the cache's 40"),
        ("lengths", [40, -2], "sequence 1 starts at 3 and has -2 tokens"),
        ("budget", [2, -1], r"budget\[1\] is -1, must be at least 0 pages"),
    ):
        given = right | {name: torch.tensor(numbers, dtype=torch.int32)}
        with pytest.raises(InputError, match=f"quest_select: {message}"):
            quest_select(query, key, low, high, given["budget"], given["starts"], given["lengths"], page_size=8, most=3)
        if name != "budget":
            with pytest.raises(InputError, match=f"update_page_bounds: {message}"):
                update_page_bounds(low, high, key, given["starts"], given["lengths"], new=1, page_size=8)
