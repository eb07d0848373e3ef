"""Builds of the search for how many lines fit."""

from __future__ import annotations

from sparsetol_kernels.on_triton.line_budget import (
    RANKS,
    ROWS,
    TRIED,
    WIDTH,
    columns_that_fit,
    first_rank,
    line_pairs,
)

from tests.kernels.compiling import Build

_LONG = {"budget": "i64", "Held": "*i64", "ByRank": "*i64"}
_ODD = frozenset({"length", "rounds"})

BUILDS = [
    Build(
        "best rank that brings a key",
        first_rank,
        dict.fromkeys(("Rank", "Met"), "*i32"),
        {"BLOCK": 64, "TILE": 1024},
        {},
        odd=frozenset({"length", "places"}),
    ),
    *(
        Build(
            f"pairs of {'columns by rank' if by_rank else 'tried numbers'}",
            line_pairs,
            _LONG | dict.fromkeys(("ColumnRank", "Met"), "*i32"),
            {"BLOCK": 64, "WIDTH": WIDTH, "ROWS": ROWS, "TRIED": TRIED, "BY_RANK": by_rank},
            {},
            odd=_ODD | {"places"},
        )
        for by_rank in (False, True)
    ),
    Build(
        "columns that fit",
        columns_that_fit,
        _LONG | dict.fromkeys(("Lines", "Columns"), "*i64"),
        {"TRIED": TRIED, "RANKS": RANKS},
        {},
        odd=_ODD,
    ),
]
