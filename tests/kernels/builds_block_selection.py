"""Builds of the kernels that choose key blocks."""

from __future__ import annotations

from sparsetol_kernels.on_triton.block_selection import FEW, best_blocks, best_of_few_blocks, block_means, warps_for

from tests.kernels.compiling import Build

_LISTS = dict.fromkeys(("Counts", "Index", "Listed"), "*i32")
_BEST = {"Scores": "*fp32"} | _LISTS
_FEW = {"Rows": "*fp32", "Columns": "*fp32"} | _LISTS
_MEANS = {"Queries": "*bf16", "Keys": "*bf16", "Rows": "*fp32", "Columns": "*fp32"}

BUILDS = [
    *(
        Build(f"means of blocks of {block}, {group} heads", block_means, _MEANS,
              {"SIZE": 128, "BLOCK": block, "ROWS": min(block, 64), "GROUP": group}, {"num_warps": warps},
              odd=frozenset({"key_heads", "length", "blocks"}))
        for block, group, warps in ((16, 4, 1), (128, 1, 4))
    ),
    *(
        Build(f"best of {wide} blocks", best_blocks, _BEST, {"WIDE": wide}, {"num_warps": warps_for(wide)},
              odd=frozenset({"blocks", "most"}))
        for wide in (1024, 2048, 8192)
    ),
    Build("best of few blocks", best_of_few_blocks, _FEW, {"WIDE": FEW, "SIZE": 128}, {"num_warps": 1},
          odd=frozenset({"blocks", "most", "lists_each"})),
]  # fmt: skip
