"""Builds of the block-sparse prefill kernels, with the tiles that they are launched with."""

from __future__ import annotations

from typing import Any

import torch
from sparsetol_kernels.on_gluon import block_sparse as on_gluon
from sparsetol_kernels.on_triton.block_sparse import block_sparse_forward, tiles_for
from triton.experimental.gluon import language as gl

from tests.kernels.compiling import Build

_SHORT = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}


def _triton(label: str, dtype: torch.dtype, size: int, block: int, capability: int, **features: Any) -> Build:
    """A build for one GPU; features are compile-time arguments, and the group's heads share a tile where lists do."""
    constants: dict[str, Any] = {
        "PER_KEY_HEAD": False, "PADDED": True, "SOFTCAP": False, "SINKS": False, "LOG_SUM": True,
    } | features  # fmt: skip
    group = 4
    tiles = tiles_for(dtype, size, block, group if constants["PER_KEY_HEAD"] else 1, divmod(capability, 10))
    element = f"*{_SHORT[dtype]}"
    return Build(
        f"block sparse, {label}",
        block_sparse_forward,
        {"Q": element, "K": element, "V": element, "Out": element, "LogSum": "*fp32"}
        | dict.fromkeys(("Index", "Count", "Starts"), "*i32")
        | {"scale": "fp32", "softcap": "fp32", "Sinks": "*fp32"},
        constants
        | {"GROUP": group, "PACK": tiles.pack, "SIZE": size, "VALUE": size, "BLOCK": block}
        | {"ROWS": tiles.rows, "KEYS": tiles.keys},
        {"num_warps": tiles.warps, "num_stages": tiles.stages},
        (capability,),
        frozenset({"length", "heads", "index_heads", "row_blocks", "most"}),
    )


def _gluon(label: str, dtype: gl.dtype, size: int, **features: bool) -> Build:
    element = dtype.name
    features = {"PADDED": True, "LOG_SUM": True} | features
    absent = {"Starts": None} if not features["PADDED"] else {}
    absent |= {"LogSum": None} if not features["LOG_SUM"] else {}
    rows = [
        f"tensordesc<{element}[1, 1, {rows}, {size}],{on_gluon.shared_layout(rows, size, dtype)!r}>"
        for rows in (on_gluon.HALF, on_gluon.BLOCK)
    ]
    return Build(
        f"block sparse on Hopper, {label}",
        on_gluon.block_sparse_forward,
        {"q_desc": rows[0], "k_desc": rows[1], "v_desc": rows[1], "o_desc": rows[0]}
        | {"Out": f"*{element}", "LogSum": "*fp32", "scale": "fp32"}
        | dict.fromkeys(("Index", "Count", "Starts"), "*i32"),
        {"GROUP": 4, "SIZE": size, "STAGES": on_gluon.stages_for(size), "QUERIES": on_gluon.QUERIES, "dtype": dtype}
        | {"num_warps": on_gluon.LAUNCH["num_warps"]}
        | features
        | absent,
        on_gluon.LAUNCH,
        (90,),
        frozenset({"heads", "index_heads", "row_blocks", "most", "length", "tiles", "first", "span", "step"}),
    )


BUILDS = [
    _gluon("bfloat16", gl.bfloat16, 128, PADDED=False, LOG_SUM=False),
    _gluon("float16, padding, log-sum-exp", gl.float16, 128),
    _gluon("bfloat16, head size 64", gl.bfloat16, 64),
] + [
    build
    for capability in (80, 90)
    for build in (
        _triton("bfloat16, blocks of 128", torch.bfloat16, 128, 128, capability),
        _triton("bfloat16, blocks of 64", torch.bfloat16, 128, 64, capability),
        _triton("bfloat16, blocks of 16", torch.bfloat16, 128, 16, capability),
        _triton("float16, blocks of 16, lists of key heads", torch.float16, 64, 16, capability, PER_KEY_HEAD=True),
        _triton("bfloat16, blocks of 16, lists of key heads", torch.bfloat16, 128, 16, capability, PER_KEY_HEAD=True),
        _triton("bfloat16, blocks of 32, lists of key heads", torch.bfloat16, 128, 32, capability, PER_KEY_HEAD=True),
        _triton("bfloat16, soft-cap and sinks", torch.bfloat16, 96, 32, capability, SOFTCAP=True, SINKS=True),
        _triton("bfloat16, head size 256", torch.bfloat16, 256, 128, capability, SOFTCAP=True),
        _triton("float32", torch.float32, 128, 64, capability),
        _triton("float32, head size 256", torch.float32, 256, 64, capability, SINKS=True),
    )
]
