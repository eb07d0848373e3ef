"""Builds of the kernels that choose key blocks."""

from __future__ import annotations

from sparsetol_kernels.on_triton.block_selection import best_blocks, block_means, warps_for

from tests.kernels.compiling import Build

_BEST = {"Scores": "*fp32"} | dict.fromkeys(("Counts", "Index", "Listed"), "*i32")

BUILDS = [
    *(
        Build(f"means of blocks of {block}, {group} heads", block_means, {"Tokens": "*bf16", "Means": "*fp32"},
              {"SIZE": 128, "BLOCK": block, "ROWS": min(block, 64), "GROUP": group}, {"num_warps": warps},
              odd=frozenset({"length", "blocks"}))
        for block, group, warps in ((16, 4, 1), (128, 1, 4))
    ),
    *(
        Build(f"best of {wide} blocks", best_blocks, _BEST, {"WIDE": wide}, {"num_warps": warps_for(wide)},
              odd=frozenset({"blocks", "most"}))
        for wide in (1024, 2048, 8192)
    ),
]  # fmt: skip
