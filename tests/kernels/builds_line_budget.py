"""Builds of the search for how many lines fit."""

from __future__ import annotations

from sparsetol_kernels.on_triton.line_budget import ROWS, TRIED, WIDTH, first_rank, found_numbers, held_pairs

from tests.kernels.compiling import Build

_LONG = {"budget": "i64", "Held": "*i64", "HeldMore": "*i64"}
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
            f"pairs of tried numbers{', columns' * more}",
            held_pairs,
            _LONG | dict.fromkeys(("ColumnRank", "Met"), "*i32"),
            {"BLOCK": 64, "WIDTH": WIDTH, "ROWS": ROWS, "TRIED": TRIED, "MORE": more},
            {},
            odd=_ODD | {"places", "more_rounds"},
        )
        for more in (False, True)
    ),
    Build(
        "found numbers of lines",
        found_numbers,
        _LONG | dict.fromkeys(("Lines", "Columns"), "*i64"),
        {"TRIED": TRIED},
        {},
        odd=_ODD,
    ),
]
