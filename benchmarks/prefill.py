"""Block-sparse prefill on one CUDA GPU: dense and block-sparse attention of kept libraries against ours, in one run.

    PYTHONPATH=.:kernels python -m benchmarks.prefill --out benchmarks/results/prefill-h200.json
    python -m benchmarks.speedup_plot

One sequence, 32 query heads, 8 key heads, head size 128, bfloat16, causal; queries and keys as a model hands them on,
`[batch, length, heads, size]` in memory. TFLOP/s count the listed blocks in full, the diagonal ones too (dense: the
causal half). `whole` is selection, lists and attention. Times are medians of CUDA events. Only rows of one run may be
compared. Each result is checked against float64 on some rows before it is timed. Rows are written as they are measured,
so that a run that is cut short loses nothing; no further row begins after --seconds. Libraries that are not installed
are named in a row of their own. `graph` is a replay of the whole operation as a CUDA graph: without it, short prompts
are as slow as the host launches kernels. `by turns` times these beside dense, in rounds. Rows of ours that end in
"key-head lists" choose and attend one list for the 4 query heads of each key head, of as many blocks: another selection
than that of the libraries' rows beside them.
"""

from __future__ import annotations

import argparse
import functools
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import triton
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.block_selection import select_blocks
from sparsetol_kernels.block_sparse_attention import block_sparse_attention, block_sparse_backend
from sparsetol_kernels.on_triton import block_sparse as on_triton
from sparsetol_kernels.source import source_hash
from torch import Tensor

from benchmarks.record import Record

SOURCES = (
    "on_gluon/block_sparse.py",
    "on_gluon/softmax.py",
    "on_triton/block_selection.py",
    "on_triton/block_sparse.py",
    "on_triton/softmax.py",
)
HEADS, KEY_HEADS, SIZE = 32, 8, 128
LIBRARIES = ("fa3-fwd", "flash-attn-4", "nvidia-cutlass-dsl", "quack-kernels")
LENGTHS = (4096, 8192, 32768, 131072)
"""Short ones first: in the one run that compiled FlexAttention before them, they took twice as long from Python."""
SPARSITIES = (0.5, 0.8, 0.9, 0.95)
SHORT = 8192
"""Prompts up to here take as long as the host launches kernels, whose clock moves: they are also timed by turns."""
ROUNDS = 9
"""Of dense and the whole operation by turns."""
SMALLER_BLOCKS_AT = 32768
"""Length at which blocks of 64, 32 and 16 are measured."""
TOLERANCE = 1e-2


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch leaves it untyped


def graphed(call: Callable[[], object]) -> Callable[[], object]:
    """The call as a replay of a CUDA graph, which takes no host time."""
    call()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def milliseconds(call: Callable[[], object], spend: float = 120.0) -> float:
    """Median time of one call; about `spend` ms in all, at least 3 and at most 30 calls, after 50 ms to warm up."""
    warm = time.monotonic() + 0.05
    for _ in range(2):
        call()
    while time.monotonic() < warm:
        call()
        torch.cuda.synchronize()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < spend and len(times) < 30):
        # A few calls are queued at a time, so that the host is ahead of the device as it is in a model.
        pairs = [(_event(), _event()) for _ in range(3)]
        for begin, end in pairs:
            begin.record()
            call()
            end.record()
        torch.cuda.synchronize()
        times += [begin.elapsed_time(end) for begin, end in pairs]
    return statistics.median(times)


@dataclass
class Prompt:
    """Queries, keys and values of one length, `[1, heads, length, size]` views of what a model makes."""

    length: int

    def __post_init__(self) -> None:
        generator = torch.Generator("cuda").manual_seed(self.length)

        def tensor(heads: int) -> Tensor:
            shape = (1, self.length, heads, SIZE)
            return torch.randn(shape, device="cuda", dtype=torch.bfloat16, generator=generator).transpose(1, 2)

        self.query, self.key, self.value = tensor(HEADS), tensor(KEY_HEADS), tensor(KEY_HEADS)

    def error(self, out: Tensor, head: int, places: Tensor, keys: Tensor) -> float:
        """Relative error of one head's rows against float64, each over these keys up to itself; `[rows, size]`."""
        owner = head // (HEADS // KEY_HEADS)
        scores = self.query[0, head, places].double() @ self.key[0, owner, keys].double().T * SIZE**-0.5
        weights = scores.masked_fill(keys > places[:, None], -math.inf).softmax(dim=-1)
        expected = weights @ self.value[0, owner, keys].double()
        return float((out.double() - expected).norm() / expected.norm())

    @property
    def flops(self) -> float:
        """Of dense causal attention."""
        return 4.0 * HEADS * SIZE * self.length * (self.length + 1) / 2


@dataclass
class Lists:
    """Blocks chosen for a prompt at one sparsity, of each query or key head; random inputs make random choices."""

    prompt: Prompt
    block: int
    sparsity: float
    per_key_head: bool = False

    def __post_init__(self) -> None:
        rows = self.prompt.length // self.block
        whole = rows * (rows + 1) // 2
        keep = next(k for k in range(1, rows + 1) if k * (k + 1) // 2 + (rows - k) * k >= (1 - self.sparsity) * whole)
        number = torch.arange(rows, device="cuda")
        self.most = max(3, keep)
        self.counts = (number + 1).clamp(max=self.most).int()
        kept = int(self.counts.sum())
        self.held = round(1 - kept / whole, 4)
        self.flops = 4.0 * HEADS * SIZE * self.block**2 * kept
        self.index, self.count = self.select()
        self.count = self.count.contiguous()

    def select(self) -> tuple[Tensor, Tensor]:
        """The lists anew."""
        prompt = self.prompt
        return select_blocks(
            prompt.query, prompt.key, self.counts, self.most, self.block, per_key_head=self.per_key_head
        )

    def attend(self, backend: Backend | None = None) -> Tensor:
        """Attention over the lists."""
        prompt = self.prompt
        return block_sparse_attention(
            prompt.query, prompt.key, prompt.value, self.index, self.count, block=self.block, backend=backend
        )[0]

    def whole(self) -> Tensor:
        """Selection and attention."""
        prompt = self.prompt
        return block_sparse_attention(prompt.query, prompt.key, prompt.value, *self.select(), block=self.block)[0]

    def error(self, out: Tensor) -> float:
        """Largest relative error of some rows against float64."""
        prompt, block = self.prompt, self.block
        rows = self.count.shape[2]
        worst = 0.0
        for head, row in [(0, 0), (5, 1), (HEADS - 1, rows - 1), (HEADS // 2, rows // 2), (1, rows // 3)]:
            place = head // (HEADS // KEY_HEADS) if self.per_key_head else head
            chosen = self.index[0, place, row, : int(self.count[0, place, row])].long()
            keys = (chosen[:, None] * block + torch.arange(block, device="cuda")).flatten()
            places = torch.arange(row * block, (row + 1) * block, device="cuda")
            worst = max(worst, prompt.error(out[0, head, places], head, places, keys))
        return worst


def timed(record: Record, what: str, lists: Lists, call: Callable[[], Tensor], **more: Any) -> None:
    """Check and time one way of block-sparse attention; `call` gives `[1, heads, length, size]`."""
    row = {"what": what, "length": lists.prompt.length, "block": lists.block, "sparsity": lists.held} | more

    def run() -> None:
        error = lists.error(call())
        if not error < TOLERANCE:
            record.add(**row, error=f"wrong: relative error {error:.3g}")
            return
        ms = milliseconds(call)
        record.add(**row, ms=round(ms, 4), tflops=round(lists.flops / ms / 1e9, 1), relative_error=round(error, 5))

    record.attempt(run, **row)


def dense(record: Record, prompt: Prompt, fa3: Any, fa4: Any) -> None:
    """Dense attention of the installed libraries, the result checked on some rows."""
    q, k, v = (tensor.transpose(1, 2) for tensor in (prompt.query, prompt.key, prompt.value))
    calls: dict[str, Callable[[], Any]] = {}
    if fa3 is not None:
        calls["dense FlashAttention-3"] = lambda: fa3.flash_attn_func(q, k, v, causal=True)
    if fa4 is not None:
        calls["dense FlashAttention-4"] = lambda: fa4[0](q, k, v, causal=True)
    attention = torch.nn.functional.scaled_dot_product_attention
    calls["dense SDPA"] = lambda: attention(
        prompt.query, prompt.key, prompt.value, is_causal=True, enable_gqa=True
    ).transpose(1, 2)
    for what, call in calls.items():
        row = {"what": what, "length": prompt.length}

        def run(call: Callable[[], Any] = call, row: dict[str, Any] = row) -> None:
            out = call()
            error = dense_error(prompt, out[0] if isinstance(out, tuple) else out)
            if not error < TOLERANCE:
                record.add(**row, error=f"wrong: relative error {error:.3g}")
                return
            ms = milliseconds(call)
            record.add(**row, ms=round(ms, 4), tflops=round(prompt.flops / ms / 1e9, 1), relative_error=round(error, 5))

        record.attempt(run, **row)


def dense_error(prompt: Prompt, out: Tensor) -> float:
    """Relative error of one head's last 64 rows against float64; `out` is `[1, length, heads, size]`."""
    head, keys = 5, torch.arange(prompt.length, device="cuda")
    return prompt.error(out[0, -64:, head], head, keys[-64:], keys)


def split(lists: Lists) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The lists as FlexAttention and FlashAttention-4 take them: diagonal blocks apart from whole ones."""
    rows = lists.count.shape[2]
    number = torch.arange(rows, device="cuda", dtype=torch.int32)
    place = torch.arange(lists.most, device="cuda")
    earlier = lists.index.where(place < lists.count[..., None] - 1, 0)
    full = torch.zeros(1, HEADS, rows, rows, device="cuda", dtype=torch.int32)
    full[..., : lists.most] = earlier
    own = torch.zeros_like(full)
    own[..., 0] = number
    return torch.ones(1, HEADS, rows, device="cuda", dtype=torch.int32), own, (lists.count - 1).contiguous(), full


@functools.cache
def compiled_flex() -> Any:
    """FlexAttention, compiled anew for each shape."""
    from torch.nn.attention.flex_attention import flex_attention

    torch._dynamo.config.recompile_limit = 64
    return torch.compile(flex_attention, dynamic=False)


def flex(record: Record, lists: Lists) -> None:
    """PyTorch's FlexAttention on the same blocks."""
    from torch.nn.attention.flex_attention import BlockMask

    prompt = lists.prompt
    row = {"what": "FlexAttention", "length": prompt.length, "block": lists.block, "sparsity": lists.held}

    def run() -> None:
        mask = BlockMask.from_kv_blocks(
            *split(lists), BLOCK_SIZE=lists.block, mask_mod=lambda b, h, q, k: q >= k,  # noqa: ARG005  # its signature
            seq_lengths=(prompt.length, prompt.length), compute_q_blocks=False,
        )  # fmt: skip
        options = {} if lists.block >= 128 else {"BLOCK_M": lists.block, "BLOCK_N": lists.block}
        begin = time.monotonic()

        def call() -> Tensor:
            out: Tensor = compiled_flex()(
                prompt.query, prompt.key, prompt.value, block_mask=mask, enable_gqa=True, kernel_options=options
            )
            return out

        call()
        timed(record, "FlexAttention", lists, call, compile_seconds=round(time.monotonic() - begin, 1))

    record.attempt(run, **row)


def flash4(record: Record, lists: Lists, fa4: Any) -> None:
    """FlashAttention-4's block-sparse path on the same blocks."""
    prompt = lists.prompt
    row = {"what": "FlashAttention-4", "length": prompt.length, "block": lists.block, "sparsity": lists.held}

    def run() -> None:
        attend, tensors, causal = fa4
        q, k, v = (tensor.transpose(1, 2) for tensor in (prompt.query, prompt.key, prompt.value))
        blocks = tensors(*split(lists), block_size=(lists.block, lists.block))

        def call() -> Tensor:
            out = attend(q, k, v, mask_mod=causal, block_sparse_tensors=blocks)
            first: Tensor = out[0] if isinstance(out, tuple) else out
            return first.transpose(1, 2)

        timed(record, "FlashAttention-4", lists, call)

    record.attempt(run, **row)


def ours(record: Record, lists: Lists) -> None:
    """Each of our backends that takes the call, and the whole operation."""
    prompt = lists.prompt
    where = {"length": prompt.length, "block": lists.block, "sparsity": lists.held}
    best = block_sparse_backend(prompt.query, prompt.key, prompt.value, lists.block)
    marked = ", key-head lists" if lists.per_key_head else ""
    for backend in dict.fromkeys((best, Backend.TRITON)):
        timed(record, f"ours, {backend}{marked}", lists, functools.partial(lists.attend, backend))
    timed(record, f"ours, whole, {best}{marked}", lists, lists.whole)
    if prompt.length <= SHORT:
        row = {"what": f"ours, whole, {best}{marked}, graph"} | where
        record.attempt(lambda: record.add(**row, ms=round(milliseconds(graphed(lists.whole)), 4)), **row)
    chosen = {"what": f"our selection{marked}"} | where
    record.attempt(lambda: record.add(**chosen, ms=round(milliseconds(lists.select), 4)), **chosen)


def by_turns(record: Record, lists: Lists, fa3: Any) -> None:
    """The whole operation and FlashAttention-3 dense, one after the other in each of some rounds: medians of these."""
    prompt = lists.prompt
    q, k, v = (tensor.transpose(1, 2) for tensor in (prompt.query, prompt.key, prompt.value))
    row = {"what": "whole by turns with dense", "length": prompt.length, "block": lists.block, "sparsity": lists.held}

    def run() -> None:
        dense_ms, ms = [], []
        for _ in range(ROUNDS):
            dense_ms.append(milliseconds(lambda: fa3.flash_attn_func(q, k, v, causal=True), spend=15))
            ms.append(milliseconds(lists.whole, spend=15))
        record.add(
            **row, ms=round(statistics.median(ms), 4), dense_ms=round(statistics.median(dense_ms), 4), rounds=ROUNDS,
            ms_range=[round(min(ms), 4), round(max(ms), 4)],
            dense_ms_range=[round(min(dense_ms), 4), round(max(dense_ms), 4)],
        )  # fmt: skip

    record.attempt(run, **row)


def tune(record: Record, prompt: Prompt, block: int) -> None:
    """Other tiles of the plain Triton kernel at sparsity 0.9."""
    lists = Lists(prompt, block, 0.9)
    usual = on_triton.tiles_for
    shapes = [(min(block, rows), keys) for rows in (128, 64) if rows <= max(block, 64) for keys in (128, 64, 32)]
    try:
        for rows, keys in dict.fromkeys(shapes):
            for warps in (8, 4) if rows == 128 else (4, 2) if rows >= 32 else (4, 2, 1):
                for stages in (2, 3, 4):
                    if (keys == 128 and stages > 2) or (rows == 128 and warps == 4 and keys > 64):
                        continue
                    tiles = on_triton.Tiles(rows, keys, 1, warps, stages)
                    on_triton.tiles_for = lambda *_, tiles=tiles: tiles
                    timed(
                        record, "tile", lists, functools.partial(lists.attend, Backend.TRITON),
                        rows=rows, keys=keys, warps=warps, stages=stages,
                    )  # fmt: skip
    finally:
        on_triton.tiles_for = usual


def import_fa3() -> Any:
    """FlashAttention-3, from the wheel `fa3-fwd`."""
    import fa3_fwd_interface

    return fa3_fwd_interface


def import_fa4() -> Any:
    """FlashAttention-4: its function, its lists, and a causal mask that it can compile."""
    import cutlass.cute as cute
    from flash_attn.cute import flash_attn_func
    from flash_attn.cute.block_sparsity import BlockSparseTensorsTorch

    def causal(b: Any, h: Any, m_idx: Any, n_idx: Any, seqlen_info: Any, aux: Any) -> Any:  # noqa: ARG001  # its signature
        return m_idx >= n_idx

    return flash_attn_func, BlockSparseTensorsTorch, cute.jit(causal)


def ceilings(record: Record) -> None:
    """What the device multiplies and copies at most."""
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    b = torch.randn_like(a)
    ms = milliseconds(lambda: a @ b)
    record.add(what="matmul 8192", ms=round(ms, 4), tflops=round(2 * 8192**3 / ms / 1e9, 1))
    x = torch.empty(2**30, device="cuda", dtype=torch.int8)
    y = torch.empty_like(x)
    ms = milliseconds(lambda: y.copy_(x))
    record.add(what="copy 1 GiB", ms=round(ms, 4), gigabytes_per_second=round(2 * x.numel() / ms / 1e6))


def dense_times(rows: list[dict[str, Any]]) -> dict[int, float]:
    """Milliseconds of dense attention by length: of FlashAttention-3, else of SDPA."""
    dense_of: dict[int, float] = {}
    for name in ("dense SDPA", "dense FlashAttention-3"):
        dense_of |= {row["length"]: row["ms"] for row in rows if row["what"] == name and "ms" in row}
    return dense_of


def table(rows: list[dict[str, Any]]) -> None:
    """The times, their ratio to FlashAttention-3 dense (else SDPA) and to FlexAttention at the same blocks."""
    timings = [row for row in rows if "ms" in row and "length" in row and row["what"] != "tile"]
    dense_of = dense_times(timings)
    peers = {
        (row["what"], row["length"], row.get("block"), row.get("sparsity")): row["ms"]
        for row in timings
        if row["what"] in {"FlexAttention", "FlashAttention-4"}
    }
    head = f"{'':36}{'tokens':>7}{'block':>6}{'sparsity':>9}{'ms':>10}{'TFLOP/s':>9}"
    print(f"{head}{'x dense':>9}{'x Flex':>8}{'x FA4':>7}")
    for row in timings:
        key = (row["length"], row.get("block"), row.get("sparsity"))
        ratios = [
            f"{against / row['ms']:.2f}" if against else ""
            for against in (row.get("dense_ms", dense_of.get(row["length"])), *(peers.get((name, *key)) for name in
                            ("FlexAttention", "FlashAttention-4")))
        ]  # fmt: skip
        print(
            f"{row['what']:36}{row['length']:>7}{row.get('block', ''):>6}{row.get('sparsity', ''):>9}{row['ms']:>10.3f}"
            f"{row.get('tflops', ''):>9}{ratios[0]:>9}{ratios[1]:>8}{ratios[2]:>7}"
        )


def measure(record: Record, length: int, fa3: Any, fa4: Any, quick: bool) -> None:
    """All rows of one length at blocks of 128."""
    prompt = Prompt(length)
    dense(record, prompt, fa3, fa4)
    lists = [Lists(prompt, 128, sparsity) for sparsity in SPARSITIES]
    for each in lists:
        ours(record, each)
        if fa3 is not None and length <= SHORT:
            by_turns(record, each, fa3)
    if fa4 is not None:
        for each in lists:
            flash4(record, each, fa4)
    # Last, as it compiles for each shape.
    for each, sparsity in zip(lists, SPARSITIES, strict=True):
        if not quick or length == 32768 or (length == 131072 and sparsity in {0.5, 0.9}):
            flex(record, each)


def smaller_blocks(record: Record, prompt: Prompt, fa4: Any, quick: bool) -> None:
    """Blocks of 64, 32 and 16; FlashAttention-4 takes 64, FlexAttention 64 and 32."""
    for block in (64, 32, 16):
        for sparsity in (0.9,) if quick else SPARSITIES:
            ours(record, Lists(prompt, block, sparsity, per_key_head=True))
            lists = Lists(prompt, block, sparsity)
            ours(record, lists)
            if fa4 is not None and block == 64:
                flash4(record, lists, fa4)
            if block >= 32:
                flex(record, lists)


def installed(package: str) -> str | None:
    """Version of a package, None where it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seconds", type=float, default=600.0, help="no row begins later than this (default: 600)")
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS), help="in this order")
    parser.add_argument("--quick", action="store_true", help="FlexAttention at fewer points")
    parser.add_argument("--fa4", action="store_true", help="stop at once where FlashAttention-4 cannot be imported")
    parser.add_argument("--tune", action="store_true", help="also other tiles of the plain Triton kernel, last")
    arguments = parser.parse_args()
    record = Record(arguments.out, time.monotonic() + arguments.seconds)
    properties = torch.cuda.get_device_properties(0)
    record.add(
        what="run", device=properties.name, multiprocessors=properties.multi_processor_count, torch=torch.__version__,
        cuda=torch.version.cuda, triton=triton.__version__, libraries={name: installed(name) for name in LIBRARIES},
        sources=source_hash(*SOURCES), files=SOURCES,
    )  # fmt: skip
    fa3 = record.attempt(import_fa3, what="FlashAttention-3")
    fa4 = record.attempt(import_fa4, what="FlashAttention-4")
    if arguments.fa4 and fa4 is None:
        raise SystemExit("FlashAttention-4 cannot be imported: see the row above")
    record.attempt(functools.partial(ceilings, record), what="ceilings")
    for length in arguments.lengths:
        # Of its own inputs and lists; a row's own failure is caught within.
        record.attempt(functools.partial(measure, record, length, fa3, fa4, arguments.quick), what="all", length=length)
        torch.cuda.empty_cache()
        if length == SMALLER_BLOCKS_AT:
            prompt = Prompt(length)
            each = functools.partial(smaller_blocks, record, prompt, fa4, arguments.quick)
            record.attempt(each, what="smaller blocks", length=length)
    if arguments.tune:
        prompt = Prompt(SMALLER_BLOCKS_AT)
        for block in (64, 16, 128, 32):
            record.attempt(functools.partial(tune, record, prompt, block), what="tile", block=block)
    table(record.rows)


if __name__ == "__main__":
    main()
