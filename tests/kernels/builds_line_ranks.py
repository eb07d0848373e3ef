"""Builds of the order of columns and diagonals."""

from __future__ import annotations

from sparsetol_kernels.line_ranks import BITS, DROPPED
from sparsetol_kernels.on_triton.line_ranks import AT_ONCE, TILE, line_keys, ranks_of

from tests.kernels.compiling import Build

_ODD = frozenset({"length", "first_column", "first_slash"})

BUILDS = [
    Build(
        "what lines are ordered by",
        line_keys,
        dict.fromkeys(("Columns", "Slashes"), "*fp32") | {"Keys": "*i32"},
        {"DROPPED": DROPPED, "BITS": BITS, "AT_ONCE": AT_ONCE, "TILE": TILE},
        {},
        odd=_ODD | {"least"},
    ),
    Build(
        "ranks of lines",
        ranks_of,
        {"Order": "*i64", "Ranks": "*i32"},
        {"AT_ONCE": AT_ONCE, "TILE": TILE},
        {},
        odd=_ODD | {"heads"},
    ),
]
