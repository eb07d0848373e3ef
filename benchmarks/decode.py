"""Decoding one token over a long cache, on one CUDA GPU: dense libraries against Quest with our kernels, in one run.

    export PYTHONPATH=$PWD:$PWD/kernels
    python -m pytest -q -n 8 tests/kernels/test_{decode_cuda,sparse_decode,page_bounds,quest_select,snapkv}.py
    python benchmarks/decode.py --out benchmarks/results/decode-h100.json [--tune]

One new token a sequence, 32 query heads, 8 key heads, head size 128, bfloat16; Quest at sparsity 0.9 with pages of 16,
selection included. Each time is the median over replays of a CUDA graph that makes at least eight calls, on each of
several caches in turn, so that nothing is found in the second-level cache; launch gaps are the same for all. Only rows
of one run may be compared. Results are checked before they are timed. Rows are written as they are measured, and what
fails is a row that says so and exit status 1; the table comes last: `of saved` is what selecting costs as a share of
what attention saves, selection / (dense - attention).
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import triton
from sparsetol_kernels.on_triton import quest_select as selecting
from sparsetol_kernels.on_triton import sparse_decode as attending
from sparsetol_kernels.page_bounds import update_page_bounds
from sparsetol_kernels.quest import quest_page_scores
from sparsetol_kernels.quest_select import quest_select
from sparsetol_kernels.snapkv import attention_paid_by_definition, snapkv_scores
from sparsetol_kernels.source import source_hash
from sparsetol_kernels.sparse_decode import sparse_decode_attention, sparse_decode_attention_reference
from torch import Tensor

from benchmarks.record import Record

SOURCES = tuple(f"on_triton/{name}.py" for name in ("page_bounds", "quest_select", "snapkv", "sparse_decode"))
SHAPES = ((131072, 1), (131072, 8), (32768, 8), (32768, 1))
"""(Cached tokens, sequences)."""
QUERY_HEADS, HEADS, SIZE, PAGE, SPARSITY = 32, 8, 128, 16, 0.9
SCALE = SIZE**-0.5
WINDOW = 256
"""Queries that SnapKV looks at."""
CALLS = 8
"""In one graph, at least."""
TOUCHED = 200e6
"""Bytes that one replay reads at least, four times what an H100's second-level cache holds."""


@dataclass
class Caches:
    """Several caches of one shape, each with a query and with page bounds, and lists chosen by Quest."""

    length: int
    batch: int
    query: list[Tensor]
    key: list[Tensor]
    value: list[Tensor]
    low: list[Tensor]
    high: list[Tensor]
    starts: Tensor
    lengths: Tensor
    budget: Tensor
    most: int

    @classmethod
    def random(cls, length: int, batch: int) -> Caches:
        """As many as make a replay read enough."""
        read = batch * HEADS * length * SIZE * 2 * 2 * (1 - SPARSITY + 1 / PAGE)
        count = max(1, -(-int(TOUCHED) // int(read)))
        generator = torch.Generator("cuda").manual_seed(length + batch)

        def tensors(*shape: int) -> list[Tensor]:
            return [torch.randn(*shape, device="cuda", dtype=torch.bfloat16, generator=generator) for _ in range(count)]

        pages = length // PAGE
        kept = round(((1 - SPARSITY) * length - PAGE) / PAGE)
        query, key, value = (
            tensors(batch, QUERY_HEADS, SIZE),
            tensors(batch, HEADS, length, SIZE),
            tensors(batch, HEADS, length, SIZE),
        )
        low, high = ([torch.full_like(k[:, :, :pages], float("nan")) for k in key] for _ in range(2))

        def each(number: int) -> Tensor:
            return torch.full((batch,), number, dtype=torch.int32, device="cuda")

        caches = cls(length, batch, query, key, value, low, high, each(0), each(length), each(kept), kept + 1)
        for k, least, most in zip(key, low, high, strict=True):
            update_page_bounds(least, most, k, caches.starts, caches.lengths, length, PAGE)
        return caches

    def select(self, number: int) -> tuple[Tensor, Tensor]:
        """Pages of one cache."""
        return quest_select(
            self.query[number], self.key[number], self.low[number], self.high[number],
            self.budget, self.starts, self.lengths, page_size=PAGE, most=self.most,
        )  # fmt: skip

    def attend(self, number: int, index: Tensor, count: Tensor) -> Tensor:
        """Attention over listed pages of one cache."""
        return sparse_decode_attention(
            self.query[number], self.key[number], self.value[number], index, count,
            page_size=PAGE, starts=self.starts, lengths=self.lengths,
        )[0]  # fmt: skip

    def whole(self, number: int) -> Tensor:
        """Selection and attention."""
        return self.attend(number, *self.select(number))

    def dense(self, number: int) -> Tensor:
        """PyTorch's dense attention."""
        return torch.nn.functional.scaled_dot_product_attention(
            self.query[number][:, :, None], self.key[number], self.value[number], enable_gqa=True
        )[:, :, 0]

    @property
    def cache_bytes(self) -> int:
        """Keys and values of one cache."""
        return self.batch * HEADS * self.length * SIZE * 2 * 2

    @property
    def bound_bytes(self) -> int:
        """Page bounds of one cache."""
        return 2 * self.low[0].numel() * 2

    @property
    def read_bytes(self) -> int:
        """Keys and values of the listed pages of one cache."""
        return self.batch * HEADS * self.most * PAGE * SIZE * 2 * 2


def milliseconds(calls: list[Callable[[], object]], replays: int = 60) -> float:
    """Median time of one call, all of them captured in a CUDA graph."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    with torch.cuda.stream(stream):
        for call in calls:
            call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for call in calls:
            call()
    for _ in range(5):
        graph.replay()
    times = []
    for _ in range(replays):
        # torch leaves it untyped.
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        graph.replay()
        end.record()
        times.append((start, end))
    torch.cuda.synchronize()
    return float(statistics.median(start.elapsed_time(end) for start, end in times)) / len(calls)


def copy_bandwidth() -> float:
    """GB/s of a copy on the device, bytes read and written."""
    source = torch.ones(2**30, dtype=torch.int8, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.numel() / milliseconds([lambda: target.copy_(source)]) / 1e6


def require(condition: bool, message: str) -> None:  # reads as an assertion
    """End what is being measured where a result is wrong."""
    if not condition:
        raise ArithmeticError(f"wrong result: {message}")


def each(caches: Caches, call: Callable[[int], object]) -> list[Callable[[], object]]:
    """The call on every cache in turn, until there are `CALLS`: the launch of a graph is shared by its calls."""
    numbers = list(range(len(caches.key)))
    # mypy has no type for a lambda's default, which keeps the number of its own turn.
    return [lambda number=number: call(number) for number in numbers * -(-CALLS // len(numbers))]  # type: ignore[misc]


def check(record: Record, caches: Caches) -> None:
    """The pages are the best-scoring ones, and attention over them is the float64 reference's."""
    index, count = caches.select(0)
    earlier = (caches.length - 1) // PAGE
    require(bool((count == caches.most).all()), "every list must be full")
    require(bool((index[..., 1:] > index[..., :-1]).all()), "pages must ascend")
    require(bool((index[..., -1] == earlier).all()), "the current page must be last")
    differing, error = 0, 0.0
    for sequence in range(caches.batch):
        scores = quest_page_scores(
            caches.query[0][sequence], caches.low[0][sequence, :, :earlier], caches.high[0][sequence, :, :earlier]
        )
        chosen = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, index[sequence, :, :-1].long(), value=True)
        best = torch.sort(scores, dim=-1, descending=True, stable=True).indices[:, : caches.most - 1]
        differing += int((~chosen.gather(1, best)).sum())
        worst_in = scores.masked_fill(~chosen, float("inf")).amin(dim=1)
        best_out = scores.masked_fill(chosen, float("-inf")).amax(dim=1)
        error = max(error, float(((best_out - worst_in) / scores.abs().amax(dim=1)).max()))
    require(error < 1e-6, f"a page was left out that scores {error} of the largest higher than one taken")
    out = caches.attend(0, index, count).double()
    expected, _ = sparse_decode_attention_reference(
        caches.query[0].double(), caches.key[0], caches.value[0],
        index, count, caches.starts, caches.lengths, PAGE, SCALE,
    )  # fmt: skip
    relative = float((out - expected).norm() / expected.norm())
    require(relative < 1e-2, f"relative error {relative}")
    record.add(
        label="check", length=caches.length, batch=caches.batch, relative_error=relative,
        pages_unlike_reference=differing, of=index.numel(),
    )  # fmt: skip


def measure(record: Record, length: int, batch: int, bandwidth: float) -> None:
    """All rows of one shape."""
    caches = Caches.random(length, batch)
    check(record, caches)
    selected = [caches.select(number) for number in range(len(caches.key))]

    def row(label: str, calls: list[Callable[[], object]], read: int) -> float:
        taken = milliseconds(calls)
        floor = read / bandwidth / 1e6
        record.add(
            label=label, length=length, batch=batch, caches=len(calls), ms=taken, gbps=read / taken / 1e6,
            floor_ms=floor,
        )  # fmt: skip
        return taken

    dense = [row("dense sdpa", each(caches, caches.dense), caches.cache_bytes)]
    try:
        fa3 = __import__("fa3_fwd_interface")
    except ImportError as error:
        record.add(label="dense flash-attn 3", missing=str(error))
    else:
        # Its own layout, [batch, length, heads, size]; one cache at a time is enough, as it reads all of it.
        key, value = (tensor[0].transpose(1, 2).contiguous() for tensor in (caches.key, caches.value))
        query = caches.query[0][:, None]
        one = [lambda: fa3.flash_attn_with_kvcache(query, key, value, causal=True)] * CALLS
        dense.append(row("dense flash-attn 3", one, caches.cache_bytes))
        index, count = selected[0]
        views = key.transpose(1, 2), value.transpose(1, 2)
        if len(caches.key) == 1:
            row(
                "attention alone, tokens before heads",
                [
                    lambda: sparse_decode_attention(
                        caches.query[0],
                        *views,
                        index,
                        count,
                        page_size=PAGE,
                        starts=caches.starts,
                        lengths=caches.lengths,
                    )
                ]
                * CALLS,
                caches.read_bytes,
            )
        del key, value, views
    select = row("selection alone", each(caches, caches.select), caches.bound_bytes)
    attend = row("attention alone", each(caches, lambda n: caches.attend(n, *selected[n])), caches.read_bytes)
    whole = row("quest whole", each(caches, caches.whole), caches.bound_bytes + caches.read_bytes)
    splits = attending.split_count(
        batch * HEADS, caches.most * PAGE, attending.default_launch(SIZE, torch.bfloat16), caches.key[0].device
    )
    # Scores, lists and their counts; pieces of outputs with their sums.
    lists = batch * HEADS * (length // PAGE + caches.most + 1) * 4
    workspace = batch * QUERY_HEADS * splits * (SIZE + 1) * 4
    record.add(
        label="summary", length=length, batch=batch, dense_ms=min(dense), whole_ms=whole, speedup=min(dense) / whole,
        speedup_over_sdpa=dense[0] / whole, selection_of_saved=select / (min(dense) - attend),
        index_and_workspace=(lists + workspace) / caches.cache_bytes,
        page_bounds=caches.bound_bytes / caches.cache_bytes,
    )  # fmt: skip
    profile(record, caches)


def profile(record: Record, caches: Caches) -> None:
    """Time of each kernel of the whole operation, eager."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        for number in list(range(len(caches.key))) * 3:
            caches.whole(number)
        torch.cuda.synchronize()
    for event in profiler.key_averages():
        record.add(
            label="kernel", length=caches.length, batch=caches.batch, name=event.key[:60],
            us=event.self_device_time_total / event.count, calls=event.count,
        )  # fmt: skip


def snapkv(record: Record, length: int) -> None:
    """SnapKV's scores of one prompt, once after prefill: the kernels and the definition."""
    generator = torch.Generator("cuda").manual_seed(length)
    query, key = (
        torch.randn(heads, length, SIZE, device="cuda", dtype=torch.bfloat16, generator=generator)
        for heads in (QUERY_HEADS, HEADS)
    )
    for over in ("mean", "max"):
        found = snapkv_scores(query, key, SCALE, WINDOW, 21, over)
        paid = attention_paid_by_definition(query, key, SCALE, WINDOW, over)
        expected = torch.nn.functional.avg_pool1d(paid[:, None], 21, stride=1, padding=10)[:, 0]
        error = float((found - expected).norm() / expected.norm())
        require(error < 1e-3, f"snapkv scores, relative error {error}")
        # mypy has no type for a lambda's default, which keeps the way of its own turn.
        taken = milliseconds([lambda over=over: snapkv_scores(query, key, SCALE, WINDOW, 21, over)], replays=20)  # type: ignore[misc]
        # Both kernels form all products.
        tflops = 2 * 2 * QUERY_HEADS * WINDOW * length * SIZE / taken / 1e9
        record.add(label="snapkv scores", length=length, over=over, ms=taken, tflops=tflops, relative_error=error)
    taken = milliseconds([lambda: attention_paid_by_definition(query, key, SCALE, WINDOW, "mean")], replays=3)
    record.add(label="snapkv scores by definition", length=length, ms=taken)


def vary(record: Record, length: int, batch: int) -> None:
    """The same kernels with other tiles, until the time is up."""
    caches = Caches.random(length, batch)
    selected = [caches.select(number) for number in range(len(caches.key))]
    for how in (
        attending.Launch(64, 4, 3, 2), attending.Launch(64, 4, 3, 3), attending.Launch(64, 4, 3, 4),
        attending.Launch(64, 4, 2, 6), attending.Launch(64, 4, 4, 3), attending.Launch(64, 8, 3, 4),
        attending.Launch(32, 4, 3, 8), attending.Launch(128, 8, 3, 2), attending.Launch(128, 4, 2, 3),
    ):  # fmt: skip
        if time.monotonic() > record.deadline:
            return

        def attend(number: int, how: attending.Launch = how) -> object:
            return attending.launch(
                caches.query[number], caches.key[number], caches.value[number], *selected[number],
                caches.starts, caches.lengths, PAGE, SCALE, None, None, None, how,
            )  # fmt: skip

        taken = milliseconds(each(caches, attend), replays=20)
        record.add(
            label="tune attention", length=caches.length, batch=caches.batch, launch=vars(how), ms=taken,
            gbps=caches.read_bytes / taken / 1e6,
        )  # fmt: skip
    usual = selecting.SCORING
    for pages, warps in ((4, 1), (8, 1), (16, 1), (16, 2), (32, 4), (64, 8)):
        selecting.SCORING = selecting.Scoring(pages, warps)
        taken = milliseconds(each(caches, caches.select), replays=20)
        record.add(
            label="tune selection", length=caches.length, batch=caches.batch, pages=pages, warps=warps, ms=taken,
        )  # fmt: skip
    selecting.SCORING = usual


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    parser.add_argument("--tune", action="store_true", help="also time other tiles")
    parser.add_argument("--seconds", type=float, default=100.0, help="no shape or tile is begun later (default: 100)")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("needs a CUDA device", file=sys.stderr)
        return 2
    record = Record(options.out, time.monotonic() + options.seconds)
    device = torch.cuda.get_device_properties(0)
    bandwidth = copy_bandwidth()
    record.add(
        label="device", name=device.name, multiprocessors=device.multi_processor_count, torch=torch.__version__,
        triton=triton.__version__, cuda=torch.version.cuda, sources=source_hash(*SOURCES), files=SOURCES,
        copy_gbps=bandwidth,
    )  # fmt: skip
    for length, batch in SHAPES:
        row = {"label": "shape", "length": length, "batch": batch}
        record.attempt(functools.partial(measure, record, length, batch, bandwidth), **row)
        torch.cuda.empty_cache()
    for length in (32768, 131072):
        record.attempt(functools.partial(snapkv, record, length), label="snapkv scores", length=length)
        torch.cuda.empty_cache()
    for length, batch in SHAPES[:2] if options.tune else ():
        row = {"label": "tune", "length": length, "batch": batch}
        record.attempt(functools.partial(vary, record, length, batch), **row)
        torch.cuda.empty_cache()
    print(f"\n{'tokens':>7} {'batch':>5} {'dense ms':>9} {'quest ms':>9} {'speed-up':>8}", end="")
    print(f"{'of saved':>9} {'workspace':>9} {'bounds':>7}")
    for row in record.rows:
        if row["label"] == "summary":
            print(
                f"{row['length']:>7} {row['batch']:>5} {row['dense_ms']:>9.4f} {row['whole_ms']:>9.4f} "
                f"{row['speedup']:>7.2f}x {row['selection_of_saved']:>8.1%} {row['index_and_workspace']:>9.2%} "
                f"{row['page_bounds']:>7.2%}"
            )
    return 1 if record.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
