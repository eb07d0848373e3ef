"""Builds of the sums over columns and diagonals."""

from __future__ import annotations

import torch
from sparsetol_kernels.on_triton.line_scores import (
    CHUNK,
    FOLDED,
    fold_lines,
    fold_rows,
    line_sums,
    partial_sums,
    tiles_for,
)

from tests.kernels.compiling import Build

_FLOATS = dict.fromkeys(("Peaks", "Totals", "LogSum", "ByTile", "Parts", "Columns", "Slashes"), "*fp32")
_ODD = frozenset({"length", "window"})


def _floats(*names: str) -> dict[str, str]:
    return {name: _FLOATS[name] for name in names}


def _builds(short: str, dtype: torch.dtype, size: int, capability: int) -> list[Build]:
    tiles = tiles_for(dtype, size, divmod(capability, 10))
    types = {"Q": f"*{short}", "K": f"*{short}", "scale": "fp32"}
    options = {"num_warps": tiles.warps, "num_stages": tiles.stages}
    of = f"{short}, head size {size}"
    cut = {"ROWS": tiles.rows, "KEYS": tiles.keys, "PART": tiles.part}
    return [
        Build(
            f"denominators of the last rows, {of}, as on {capability}",
            partial_sums,
            types | _floats("Peaks", "Totals"),
            {"GROUP": 4, "SIZE": size, "ROWS": tiles.peak_rows, "KEYS": tiles.peak_keys, "CHUNK": CHUNK},
            options,
            capabilities=(capability,),
            odd=_ODD | {"chunks"},
        ),
        Build(
            f"sums over lines, {of}, as on {capability}",
            line_sums,
            types | _floats("LogSum", "ByTile", "Parts"),
            {"GROUP": 4, "SIZE": size} | cut,
            options,
            capabilities=(capability,),
            odd=_ODD | {"row_tiles"},
        ),
        Build(
            f"lines of tiles summed, {of}, as on {capability}",
            fold_lines,
            _floats("ByTile", "Parts", "Columns", "Slashes"),
            {"FOLDED": FOLDED} | cut,
            {},
            capabilities=(capability,),
            odd=_ODD | {"row_tiles", "strips"},
        ),
    ]


BUILDS = [
    *(
        build
        for short, dtype, size in (
            ("bf16", torch.bfloat16, 128),
            ("bf16", torch.bfloat16, 256),
            ("fp32", torch.float32, 128),
        )
        for capability in (80, 90)
        for build in _builds(short, dtype, size, capability)
    ),
    Build(
        "denominators of chunks folded",
        fold_rows,
        _floats("Peaks", "Totals", "LogSum"),
        {"ROWS": 128},
        {},
        odd=frozenset({"window", "chunks"}),
    ),
]
