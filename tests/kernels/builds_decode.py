"""Builds of the decode kernels, with the tiles that they are launched with."""

from __future__ import annotations

from typing import Any

import torch
from sparsetol_kernels.on_triton.page_bounds import bound_last_pages
from sparsetol_kernels.on_triton.quest_select import SCORING, ranking_block, ranking_warps, score_pages, select_pages
from sparsetol_kernels.on_triton.snapkv import fold_columns, sum_rows, tiles, warps_and_stages
from sparsetol_kernels.on_triton.sparse_decode import attend_split, default_launch, merge_splits

from tests.kernels.compiling import Build

_SHORT = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}


def _padded(size: int) -> int:
    return 1 << (size - 1).bit_length()


def _attention(label: str, dtype: torch.dtype, size: int, **features: Any) -> Build:
    how = default_launch(size, dtype)
    constants: dict[str, Any] = {"GROUP": 4, "ROWS": 16, "PAGE": 16, "SOFTCAP": False, "WINDOW": False} | features
    constants |= {"SIZE": size, "PADDED": _padded(size), "VALUE_SIZE": size, "VALUE_PADDED": _padded(size)}
    constants |= dict.fromkeys(("query_size", "key_size", "value_size", "index_entry", "count_head"), 1)
    constants |= {"PRECISION": "ieee" if dtype == torch.float32 else "tf32", "TOKENS": how.tokens}
    return Build(
        f"sparse decode, {label}",
        attend_split,
        dict.fromkeys(("query", "key", "value"), f"*{_SHORT[dtype]}")
        | dict.fromkeys(("index", "count", "starts", "lengths"), "*i32")
        | {"partial": "*fp32", "partial_lse": "*fp32", "scale": "fp32", "softcap": "fp32"},
        constants,
        {"num_warps": how.warps, "num_stages": how.stages},
        odd=frozenset({"index_batch", "index_head", "count_batch", "window"}),
    )


def _scores(label: str, dtype: torch.dtype, size: int) -> Build:
    return Build(
        f"quest scores, {label}",
        score_pages,
        dict.fromkeys(("query", "key", "low", "high"), f"*{_SHORT[dtype]}")
        | {"starts": "*i32", "lengths": "*i32", "scores": "*fp32"},
        {
            "GROUP": 4,
            "ROWS": 4,
            "SIZE": size,
            "PADDED": _padded(size),
            "PAGE": 16,
            "PAGES": SCORING.pages,
        }
        | dict.fromkeys(("query_size", "key_size", "bound_size"), 1),
        {"num_warps": SCORING.warps},
    )


def _snapkv(label: str, dtype: torch.dtype, size: int) -> list[Build]:
    element = f"*{_SHORT[dtype]}"
    types = {"query": element, "key": element, "sums": "*fp32", "scale": "fp32"}
    constants: dict[str, Any] = {"GROUP": 4, "SIZE": size, "PADDED": _padded(size), "query_size": 1, "key_size": 1}
    constants |= {"PRECISION": "ieee" if dtype == torch.float32 else "tf32", **tiles(size, dtype)}
    options = warps_and_stages(dtype)
    odd = frozenset({"rows", "length"})
    return [
        Build(f"snapkv rows, {label}", sum_rows, types, constants | {"PIECE": 2048}, options, odd=odd),
        Build(
            f"snapkv columns, {label}",
            fold_columns,
            types | {"paid": "*fp32"},
            constants | {"LARGEST": True},
            options,
            odd=odd,
        ),
    ]


def _ranking(pages: int) -> Build:
    block, blocks = ranking_block(pages)
    return Build(
        f"quest ranking, {pages} pages",
        select_pages,
        {"scores": "*fp32"} | dict.fromkeys(("budget", "lengths", "index", "count"), "*i32"),
        {"PAGE": 16, "BLOCK": block, "BLOCKS": blocks},
        {"num_warps": ranking_warps(block, blocks)},
        odd=frozenset({"most", "index_batch", "index_head"}),
    )


BUILDS = [
    _attention("bfloat16", torch.bfloat16, 128),
    _attention("float16, 64 with everything", torch.float16, 64, SOFTCAP=True, WINDOW=True),
    _attention("bfloat16, 256", torch.bfloat16, 256),
    _attention("bfloat16, 32 heads of a key head", torch.bfloat16, 128, GROUP=32, ROWS=32),
    _attention("float32", torch.float32, 128),
    Build(
        "sparse decode, merging",
        merge_splits,
        {"out": "*bf16"} | dict.fromkeys(("partial", "partial_lse", "sinks", "lse"), "*fp32"),
        {"SINKS": True, "VALUE_SIZE": 128, "VALUE_PADDED": 128, "PIECES": 64},
        {"num_warps": 4},
        odd=frozenset({"splits"}),
    ),
    Build(
        "page bounds",
        bound_last_pages,
        dict.fromkeys(("key", "low", "high"), "*bf16") | {"starts": "*i32", "lengths": "*i32"},
        {"SIZE": 128, "PADDED": 128, "PAGE": 16, "PAGES": 8, "key_size": 1, "bound_size": 1},
        {"num_warps": 4},
        odd=frozenset({"new"}),
    ),
    _scores("bfloat16", torch.bfloat16, 128),
    *_snapkv("bfloat16", torch.bfloat16, 128),
    *_snapkv("float16, 256", torch.float16, 256),
    *_snapkv("float32", torch.float32, 128),
    _ranking(8192),
    _ranking(65536),
]
