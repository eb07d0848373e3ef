"""Builds of the order of all lines of a layer."""

from __future__ import annotations

from sparsetol_kernels.on_triton.covering_ranks import PLACES, WARPS, coverage_steps, covering_ranks_of
from sparsetol_kernels.on_triton.line_ranks import AT_ONCE, TILE

from tests.kernels.compiling import Build

_ODD = frozenset({"length", "heads", "first_column", "first_slash"})
_MADE = dict.fromkeys(("Steps", "Places"), "*i32")

BUILDS = [
    Build(
        "coverage ahead of lines",
        coverage_steps,
        dict.fromkeys(("Columns", "Slashes"), "*fp32") | {"Order": "*i64"} | _MADE,
        {"AT_ONCE": AT_ONCE, "PLACES": PLACES},
        {"num_warps": WARPS},
        odd=_ODD | {"floor"},
    ),
    Build(
        "ranks of all lines of a layer",
        covering_ranks_of,
        {"Order": "*i64", "Ranks": "*i32"} | _MADE,
        {"AT_ONCE": AT_ONCE, "TILE": TILE},
        {},
        odd=_ODD,
    ),
]
