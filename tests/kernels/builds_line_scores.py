"""Builds of the sums over columns and diagonals."""

from __future__ import annotations

import torch
from sparsetol_kernels.on_triton.line_scores import (
    CHUNK,
    DENOMINATORS,
    FOLDED,
    LINES,
    fold_slashes,
    line_sums,
    partial_sums,
    tile_for,
)

from tests.kernels.compiling import Build

_FLOATS = dict.fromkeys(("LogSum", "Columns", "Partial"), "*fp32")


def _builds(short: str, dtype: torch.dtype, size: int) -> list[Build]:
    constants = {"GROUP": 4, "SIZE": size}
    tile = tile_for(dtype, size)
    types = {"Q": f"*{short}", "K": f"*{short}", "scale": "fp32"}
    odd = frozenset({"length", "window"})
    return [
        Build(
            f"sums over lines, {short}, head size {size}",
            line_sums,
            types | _FLOATS,
            constants | {"TILE": tile},
            LINES,
            odd=odd | {"row_tiles"},
        ),
        Build(
            f"denominators of the last rows, {short}, head size {size}",
            partial_sums,
            types | {"Peaks": "*fp32", "Totals": "*fp32"},
            constants | {"ROWS": tile, "KEYS": tile, "CHUNK": CHUNK},
            DENOMINATORS,
            odd=odd | {"chunks"},
        ),
    ]


BUILDS = [
    *_builds("bf16", torch.bfloat16, 128),
    *_builds("bf16", torch.bfloat16, 256),
    *_builds("fp32", torch.float32, 128),
    Build(
        "diagonals of tiles summed",
        fold_slashes,
        {"Partial": "*fp32", "Slashes": "*fp32"},
        {"TILE": 64, "FOLDED": FOLDED},
        {},
        odd=frozenset({"length", "window", "row_tiles", "key_tiles"}),
    ),
]
