"""Builds of attention over columns and diagonals, with the tiles that it is launched with."""

from __future__ import annotations

from typing import Any

import torch
from sparsetol_kernels.on_triton.vertical_slash import (
    TILE,
    line_index,
    line_tiles,
    met_places,
    vertical_slash_forward,
)

from tests.kernels.compiling import Build

_SUMMARIES = ("Start", "Open", "First", "Chosen")
_SHORT = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}


def _build(
    label: str, dtype: torch.dtype, size: int, block: int, capability: int, *, by_rows: bool = False, **features: bool
) -> Build:
    tiles = line_tiles(dtype, size, block, divmod(capability, 10))
    constants: dict[str, Any] = {"SOFTCAP": False, "SINKS": False, "LOG_SUM": False} | features
    constants |= {"Sinks": None} if not constants["SINKS"] else {}
    constants |= {"LogSum": None} if not constants["LOG_SUM"] else {}
    rows = f"tensordesc<{_SHORT[dtype]}[1, 1, {tiles.keys}, {size}]>"
    described = dict.fromkeys(("KeyRows", "ValueRows"), rows if by_rows else None)
    return Build(
        f"vertical slash, {label}" + ", by descriptors" * by_rows,
        vertical_slash_forward,
        dict.fromkeys(("Q", "K", "V", "Out"), f"*{_SHORT[dtype]}")
        | dict.fromkeys(("Near", "Wide", "Ranges", "Columns", "Upto"), "*i32")
        | {name: kind for name, kind in described.items() if kind is not None}
        | {"Met": "*u8", "LogSum": "*fp32", "Sinks": "*fp32", "scale": "fp32", "softcap": "fp32"},
        constants
        | {name: None for name, kind in described.items() if kind is None}
        | {"GROUP": 4, "SIZE": size, "VALUE": size, "BLOCK": block, "ROWS": tiles.rows, "KEYS": tiles.keys},
        {"num_warps": tiles.warps, "num_stages": tiles.stages},
        (capability,),
        frozenset({"length", "heads", "row_blocks", "most_ranges", "most_columns", "reach"}),
    )


_INDEX = Build(
    "index of lines",
    line_index,
    dict.fromkeys(("Met", "Columns"), "*u8")
    | dict.fromkeys(("Near", "Wide", "Ranges", "Listed", "Upto", *_SUMMARIES), "*i32"),
    {"BLOCK": 64, "KEYS": 64, "TILE": TILE, "TILES": 512},
    {},
    odd=frozenset({"length", "places", "most_ranges", "row_blocks"}),
)

_MET = Build(
    "places that diagonals meet",
    met_places,
    dict.fromkeys(("Slashes", "Columns", "Met"), "*u8") | dict.fromkeys(_SUMMARIES, "*i32"),
    {"BLOCK": 64, "KEYS": 64, "TILE": TILE},
    {},
    odd=frozenset({"length", "places"}),
)

BUILDS = [
    _MET,
    _INDEX,
    *(
        build
        for capability, by_rows in ((80, False), (90, False), (90, True))
        for build in (
            _build("bfloat16", torch.bfloat16, 128, 64, capability, by_rows=by_rows),
            _build(
                "float16, all features",
                torch.float16,
                64,
                128,
                capability,
                by_rows=by_rows,
                SOFTCAP=True,
                SINKS=True,
                LOG_SUM=True,
            ),
            _build("bfloat16, head size 256", torch.bfloat16, 256, 64, capability, by_rows=by_rows),
        )
    ),
    *(_build("float32", torch.float32, 128, 64, capability) for capability in (80, 90)),
]
