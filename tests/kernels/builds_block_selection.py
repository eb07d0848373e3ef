"""Builds of the kernels that choose key blocks."""

from __future__ import annotations

from sparsetol_kernels.on_triton.block_selection import best_blocks, block_means

from tests.kernels.compiling import Build

_BEST = {"Scores": "*fp32", "Counts": "*i32", "Index": "*i32"}

BUILDS = [
    Build(
        "means of blocks of 128",
        block_means,
        {"Tokens": "*bf16", "Means": "*fp32"},
        {"SIZE": 128, "BLOCK": 128, "ROWS": 64},
        {"num_warps": 4},
        odd=frozenset({"length", "blocks"}),
    ),
    *(
        Build(f"best of {wide} blocks", best_blocks, _BEST, {"WIDE": wide}, {"num_warps": warps},
              odd=frozenset({"blocks", "most"}))
        for wide, warps in ((1024, 1), (8192, 8))
    ),
]  # fmt: skip
