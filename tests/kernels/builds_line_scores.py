"""Builds of the sums over columns and diagonals."""

from __future__ import annotations

import torch
from sparsetol_kernels.on_triton.line_scores import CHUNK, LAUNCH, column_sums, partial_sums, slash_sums, tile_for

from tests.kernels.compiling import Build

_POINTERS = dict.fromkeys(("Out", "LogSum"), "*fp32")


def _builds(short: str, dtype: torch.dtype) -> list[Build]:
    constants = {"GROUP": 4, "SIZE": 128, "TILE": tile_for(dtype, 128)}
    types = {"Q": f"*{short}", "K": f"*{short}", "scale": "fp32"}
    odd = frozenset({"length", "window"})
    return [
        Build(f"sums over columns, {short}", column_sums, types | _POINTERS, constants, LAUNCH, odd=odd),
        Build(f"sums over diagonals, {short}", slash_sums, types | _POINTERS, constants, LAUNCH, odd=odd),
        Build(
            f"denominators of the last rows, {short}",
            partial_sums,
            types | {"Peaks": "*fp32", "Totals": "*fp32"},
            constants | {"CHUNK": CHUNK},
            LAUNCH,
            odd=odd | {"chunks"},
        ),
    ]


BUILDS = [*_builds("bf16", torch.bfloat16), *_builds("fp32", torch.float32)]
