"""Prefill over columns and diagonals on one CUDA GPU: the attention, its selection and its index, against dense.

    PYTHONPATH=.:kernels python -m benchmarks.lines --out benchmarks/results/lines-h200.json
    python -m benchmarks.speedup_plot

Prompt and clock as in `prefill`: 32 query heads, 8 key heads, head size 128, bfloat16. `attention` makes its index from
bools and attends; `selection` scores lines, ranks them and finds how many fit; `whole` is both; all three are called
from Python. What ends in `graph` is a replay of a CUDA graph: what the device needs. The table's last column is what
selecting costs as a share of what attention saves, (selection + index) / (dense - attention without the index): both of
the former by graphs, attention too where it was captured, dense by FlashAttention-3, or SDPA where that is not there.
It is left out where less than a tenth of dense is saved: that is a difference of two large times. In gathered prompts
one key in 20 draws all queries. Both methods take columns and diagonals in like numbers whatever the prompt, and a
diagonal brings 64 keys of each row block: so nine tenths of the pairs lie on diagonals in these as in random ones. The
engine's counts of what was attended and loaded are not part of it. Rows are written as they come; none is begun after
--seconds.
"""

from __future__ import annotations

import argparse
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import triton
from sparsetol_kernels.on_triton import vertical_slash as on_triton
from sparsetol_kernels.selection import LineSelection
from sparsetol_kernels.source import source_hash
from sparsetol_kernels.vertical_slash_attention import vertical_slash_attention
from torch import Tensor

from benchmarks.prefill import (
    HEADS,
    SIZE,
    TOLERANCE,
    Prompt,
    dense,
    dense_times,
    graphed,
    import_fa3,
    installed,
    milliseconds,
)
from benchmarks.record import Record
from pytest_sparsetol.methods.flexprefill import FlexPrefill
from pytest_sparsetol.methods.vertical_slash import VerticalSlash

SOURCES = (
    "covering_ranks.py",
    "inputs.py",
    "line_ranks.py",
    "on_triton/block_sparse.py",
    "on_triton/covering_ranks.py",
    "on_triton/descriptors.py",
    "on_triton/line_budget.py",
    "on_triton/line_ranks.py",
    "on_triton/line_scores.py",
    "on_triton/scans.py",
    "on_triton/softmax.py",
    "on_triton/vertical_slash.py",
)
LENGTHS = (32768, 131072, 8192, 4096)
SPARSITIES = (0.9, 0.5, 0.8, 0.95)
GATHERED = (32768, 131072)
"""Lengths at which a gathered prompt is measured as well, at the first sparsity."""
LEAST_SAVED = 0.1
"""Share of dense that attention must save for a share of it to be shown."""
METHODS: dict[str, type[VerticalSlash | FlexPrefill]] = {"vertical-slash": VerticalSlash, "FlexPrefill": FlexPrefill}


class Gathered(Prompt):
    """One key in 20 lies in the direction of all queries: its weight is about 400 times another's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        generator = torch.Generator("cuda").manual_seed(SIZE)
        direction = torch.nn.functional.normalize(torch.randn(SIZE, device="cuda", generator=generator), dim=0)
        push = (6.0 * SIZE**0.5) ** 0.5 * direction
        drawing = torch.rand(1, 1, self.length, 1, device="cuda", generator=generator) < 1 / 20
        self.query = (self.query + push).to(self.query.dtype)
        self.key = (self.key + push * drawing).to(self.key.dtype)


def error(prompt: Prompt, selection: LineSelection, out: Tensor) -> float:
    """Relative error of the first head's last row block against float64; `out` is `[1, heads, length, size]`."""
    tokens = torch.arange(prompt.length, device="cuda")
    first = LineSelection(selection.columns[:1], selection.slashes[:1], selection.block)
    keys = first.at((prompt.length - 64) // selection.block, tokens)[0, -1].nonzero()[:, 0]
    return prompt.error(out[0, 0, -64:], 0, tokens[-64:], keys)


def measure(record: Record, prompt: Prompt, name: str, sparsity: float) -> None:
    """All rows of one method at one length and sparsity."""
    method = METHODS[name](sparsity)
    query, key, value = prompt.query, prompt.key, prompt.value

    def select() -> LineSelection:
        return method.select(query[0], key[0], SIZE**-0.5)

    def attend(chosen: LineSelection) -> Tensor:
        return vertical_slash_attention(query, key, value, chosen.columns[None], chosen.slashes[None])[0]

    selection = select()
    row = {"method": name, "length": prompt.length, "sparsity": sparsity, "gathered": isinstance(prompt, Gathered)}
    wrong = error(prompt, selection, attend(selection))
    if not wrong < TOLERANCE:
        record.add(what="attention", **row, error=f"wrong: relative error {wrong:.3g}")
        return
    attended, loaded = float(selection.attended().mean()), float(selection.loaded().mean())
    flops = 4.0 * HEADS * SIZE * loaded * prompt.length * (prompt.length + 1) / 2
    row |= {"attended": round(1 - attended, 4), "loaded": round(1 - loaded, 4), "relative_error": round(wrong, 5)}
    tiles = on_triton.line_tiles(query.dtype, SIZE, selection.block, torch.cuda.get_device_capability())
    lists = functools.partial(on_triton.line_lists, selection.slashes, selection.columns, selection.block, tiles.keys)

    def timed(what: str, call: Callable[[], object], *, graph: bool = False) -> None:
        ms = milliseconds(graphed(call) if graph else call)
        rate = {"tflops": round(flops / ms / 1e9, 1)} if what in {"attention", "whole"} else {}
        record.add(what=what, **row, ms=round(ms, 4), **rate)

    called: dict[str, Callable[[], object]] = {
        "attention": functools.partial(attend, selection), "whole": lambda: attend(select()), "selection": select,
    }  # fmt: skip
    for what, call in called.items():
        record.attempt(functools.partial(timed, what, call), what=what, **row)
    for part, call in (called | {"index": lists}).items():
        what = f"{part}, graph"
        record.attempt(functools.partial(timed, what, call, graph=True), what=what, **row)


def table(rows: list[dict[str, Any]]) -> None:
    """Times over dense, and what selecting costs of what attention saves."""
    dense_of = dense_times(rows)
    of = {
        (row["method"], row["length"], row["sparsity"], row["gathered"], row["what"]): row["ms"]
        for row in rows
        if "method" in row and "ms" in row
    }
    print(f"\n{'':24}{'tokens':>8}{'sparsity':>10}{'dense':>10}{'attention':>11}{'x':>7}{'whole':>10}{'x':>7}", end="")
    print(f"{'selection':>11}{'graph':>9}{'index':>8}{'of saved':>10}   (times in ms)")
    for name, length, sparsity, gathered in dict.fromkeys(key[:4] for key in of):
        dense_ms = dense_of.get(length, math.nan)
        attention, whole, called, graph, index = (
            of.get((name, length, sparsity, gathered, what), math.nan)
            for what in ("attention", "whole", "selection", "selection, graph", "index, graph")
        )
        saved = dense_ms - of.get((name, length, sparsity, gathered, "attention, graph"), attention) + index
        share = f"{(graph + index) / saved:.1%}" if saved > LEAST_SAVED * dense_ms else "-"
        print(
            f"{name + ' gathered' * gathered:24}{length:>8}{sparsity:>10}{dense_ms:>10.3f}"
            f"{attention:>11.3f}{dense_ms / attention:>7.2f}"
            f"{whole:>10.3f}{dense_ms / whole:>7.2f}{called:>11.3f}{graph:>9.3f}{index:>8.3f}{share:>10}"
        )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seconds", type=float, default=300.0, help="no row begins later than this (default: 300)")
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS), help="multiples of 64, in this order")
    arguments = parser.parse_args()
    if any(length % 64 for length in arguments.lengths):
        parser.error(f"--lengths {arguments.lengths}: each must be a multiple of 64")
    record = Record(arguments.out, time.monotonic() + arguments.seconds)
    record.add(
        what="run", device=torch.cuda.get_device_properties(0).name, torch=torch.__version__, cuda=torch.version.cuda,
        triton=triton.__version__, libraries={"fa3-fwd": installed("fa3-fwd")}, sources=source_hash(*SOURCES),
        files=SOURCES,
    )  # fmt: skip
    fa3 = record.attempt(import_fa3, what="FlashAttention-3")
    for length in arguments.lengths:
        prompt = record.attempt(functools.partial(Prompt, length), what="inputs", length=length)
        if prompt is None:
            continue
        record.attempt(functools.partial(dense, record, prompt, fa3, None), what="dense", length=length)
        for sparsity in SPARSITIES:
            for name in METHODS if sparsity == SPARSITIES[0] else ("vertical-slash",):
                row = {"method": name, "length": length, "sparsity": sparsity}
                record.attempt(functools.partial(measure, record, prompt, name, sparsity), what="all", **row)
        if length in GATHERED:
            prompt = Gathered(length)
            for name in METHODS:
                row = {"method": name, "length": length, "sparsity": SPARSITIES[0], "gathered": True}
                record.attempt(functools.partial(measure, record, prompt, name, SPARSITIES[0]), what="all", **row)
        torch.cuda.empty_cache()
    table(record.rows)


if __name__ == "__main__":
    main()
