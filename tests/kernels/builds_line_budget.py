"""Builds of the search for how many lines fit."""

from __future__ import annotations

from sparsetol_kernels.on_triton.line_budget import (
    KEYS,
    ROWS,
    STEP,
    TALL,
    TILE,
    TRIED,
    WIDTH,
    brought,
    column_pairs,
    first_rank,
    found,
    line_pairs,
)

from tests.kernels.compiling import Build

_SEARCH = {"budget": "i64"} | dict.fromkeys(("Least", "Bounds", "Held", "Found", "Lines", "BySlash"), "*i64")
_RANKS = dict.fromkeys(("ColumnRank", "Met", "ByKey"), "*i32")
_ODD = frozenset({"length", "most", "done"})


def _types(*names: str) -> dict[str, str]:
    return {name: kind for name, kind in (_SEARCH | _RANKS).items() if name in names}


def _searching(together: bool) -> list[Build]:
    of = "a layer" if together else "each head"
    return [
        Build(
            f"pairs of tried numbers of lines, {of}",
            line_pairs,
            _types("ColumnRank", "Met", "Least", "Bounds", "Held", "budget"),
            {"BLOCK": 64, "WIDTH": WIDTH, "ROWS": ROWS, "TRIED": TRIED, "TOGETHER": together},
            {},
            odd=_ODD | {"places"},
        ),
        Build(
            f"pairs that lines bring, {of}",
            brought,
            _types("Met", "Lines", "ByKey", "BySlash"),
            {"BLOCK": 64, "WIDTH": WIDTH, "ROWS": TALL, "TOGETHER": together},
            {},
            odd=frozenset({"length", "places"}),
        ),
        Build(
            f"pairs of tried numbers of columns, {of}",
            column_pairs,
            _types("ColumnRank", "ByKey", "BySlash", "Least", "Bounds", "Held", "budget"),
            {"KEYS": KEYS, "STEP": STEP, "TRIED": TRIED, "TOGETHER": together},
            {},
            odd=_ODD,
        ),
    ]


BUILDS = [
    Build(
        "best rank that brings a key",
        first_rank,
        dict.fromkeys(("Rank", "Met"), "*i32"),
        {"BLOCK": 64, "TILE": TILE},
        {},
        odd=frozenset({"length", "places"}),
    ),
    *_searching(together=False),
    *_searching(together=True),
    Build(
        "the number that a search came to",
        found,
        _types("Least", "Bounds", "Held", "Found", "budget"),
        {"TRIED": TRIED},
        {},
        odd=frozenset({"most", "done"}),
    ),
]
