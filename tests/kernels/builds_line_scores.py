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


def _builds(short: str, dtype: torch.dtype, size: int, group: int, capability: int, by_rows: bool) -> list[Build]:
    tiles = tiles_for(dtype, size, group, divmod(capability, 10))
    types = {"Q": f"*{short}", "K": f"*{short}", "scale": "fp32"}

    def rows(of_query: int, of_key: int, heads: int = 1) -> dict[str, str]:
        """How descriptors are typed, where rows are loaded by them."""
        boxes = {"QueryRows": (heads, of_query), "KeyRows": (1, of_key)} if by_rows else {}
        return {name: f"tensordesc<{short}[1, {of}, {number}, {size}]>" for name, (of, number) in boxes.items()}

    pointers = {} if by_rows else {"QueryRows": None, "KeyRows": None}
    peak, line = tiles.peaks, tiles.lines
    of = f"{short}, head size {size}, {group} query heads a key head" + ", by descriptors" * by_rows
    cut = {"ROWS": line.rows, "KEYS": line.keys, "PART": tiles.part}
    return [
        Build(
            f"denominators of the last rows, {of}, as on {capability}",
            partial_sums,
            types | rows(peak.rows, peak.keys) | _floats("Peaks", "Totals"),
            {"GROUP": group, "SIZE": size, "ROWS": peak.rows, "KEYS": peak.keys, "CHUNK": CHUNK} | pointers,
            peak.options,
            capabilities=(capability,),
            odd=_ODD | {"chunks"},
        ),
        Build(
            f"sums over lines, {of}, as on {capability}",
            line_sums,
            types | rows(line.rows, line.keys, tiles.shared) | _floats("LogSum", "ByTile", "Parts"),
            {"GROUP": group, "SHARED": tiles.shared, "SIZE": size} | cut | pointers,
            line.options,
            capabilities=(capability,),
            odd=_ODD | {"row_tiles"},
        ),
    ]


def _folding(short: str, dtype: torch.dtype, size: int, group: int, capability: int) -> Build:
    tiles = tiles_for(dtype, size, group, divmod(capability, 10))
    return Build(
        f"lines of tiles summed, {short}, head size {size}, {group} query heads a key head, as on {capability}",
        fold_lines,
        _floats("ByTile", "Parts", "Columns", "Slashes"),
        {"FOLDED": FOLDED, "ROWS": tiles.lines.rows, "KEYS": tiles.lines.keys, "PART": tiles.part},
        {},
        capabilities=(capability,),
        odd=_ODD | {"row_tiles", "strips"},
    )


_KINDS = (
    ("bf16", torch.bfloat16, 128, 4),
    ("bf16", torch.bfloat16, 128, 1),
    ("bf16", torch.bfloat16, 256, 4),
    ("fp32", torch.float32, 128, 4),
)

BUILDS = [
    *(_folding(*kind, capability) for kind in _KINDS for capability in (80, 90)),
    *(
        build
        for short, dtype, size, group in _KINDS
        for capability, by_rows in ((80, False), (90, False), (90, True))
        if dtype != torch.float32 or not by_rows
        for build in _builds(short, dtype, size, group, capability, by_rows)
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
