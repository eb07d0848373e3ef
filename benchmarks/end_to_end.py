"""A whole model of 8B shape on one CUDA GPU: prefill, decoding and memory, dense and under each method.

    export PYTHONPATH=$PWD:$PWD/kernels
    python -m benchmarks.end_to_end --lengths 32768 131072 --out benchmarks/results/end_to_end-h100.json

32 layers, 4,096 wide, 32 query and 8 key heads of 128, MLP of 14,336, a vocabulary of 32,768, bfloat16, one sequence.
Weights are random and made on the device: the times are of such a model, the answers mean nothing. `transformers` is
that library's own `generate` with its SDPA attention; all other rows are this project's engine. Prefill is the first
call of the model, the device waited for before and after; a decoding step is timed likewise, the median over steps.
`device` is the time of all kernels of a step, as the profiler sums it: what is left of the step is the host's launches.
Each case runs twice and the second run counts; the first one's prefill, with all compilation, stands beside it. Memory
is the most that torch held. Rows are written as they come; no case begins after --seconds. `--tiny` is a small model on
any device, for tests.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from sparsetol_kernels.source import source_hash
from transformers import AutoModelForCausalLM, LlamaConfig

from benchmarks.record import Record
from pytest_sparsetol.engine import attention
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.load import LoadedModel
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from pytest_sparsetol.methods.block_sparse import BlockSparse
from pytest_sparsetol.methods.flexprefill import FlexPrefill
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.snapkv import SnapKV
from pytest_sparsetol.methods.vertical_slash import VerticalSlash

PLAIN = "transformers"
TIMED, PROFILED = 12, 4
"""Decoding steps of a run: first those that are timed, then those whose kernels are counted."""


def policies(sparsity: float) -> dict[str, Policy]:
    """What is measured, by name."""
    return {
        "dense": DENSE,
        "block_sparse": Policy(prefill=BlockSparse(sparsity)),
        "vertical_slash": Policy(prefill=VerticalSlash(sparsity)),
        "flexprefill": Policy(prefill=FlexPrefill(sparsity)),
        "snapkv": Policy(kv=SnapKV(sparsity)),
        "ada_snapkv": Policy(kv=AdaSnapKV(sparsity)),
        "quest": Policy(decode=Quest(sparsity)),
        "block_sparse + quest": Policy(prefill=BlockSparse(sparsity), decode=Quest(sparsity)),
    }


def random_model(device: torch.device, dtype: torch.dtype, *, tiny: bool) -> LoadedModel:
    """The model, its weights made where they stay, with the engine's attention."""
    shape: dict[str, Any] = {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 32768,
    }  # fmt: skip
    if tiny:
        shape |= {
            "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 256,
        }  # fmt: skip
    config = LlamaConfig(
        **shape, max_position_embeddings=2**18, rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    attention.register()
    torch.manual_seed(0)
    with device:
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
            config, dtype=dtype, attn_implementation=attention.NAME
        )
    model.eval().requires_grad_(requires_grad=False)
    # Answers must not end early, whatever the library takes for the end by default.
    model.generation_config.eos_token_id = None
    return LoadedModel(model, SimpleNamespace(pad_token_id=0, eos_token_id=None), device, dtype)


@dataclass
class Clock:
    """Times every call of a model; once `TIMED` steps are timed, counts kernels instead."""

    device: torch.device
    begun: float = 0.0
    seconds: list[float] = field(default_factory=list)
    profiler: Any = None

    def before(self, *_: Any) -> None:
        """A call begins."""
        if len(self.seconds) == 1 + TIMED and self.device.type == "cuda":
            self.profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
            self.profiler.__enter__()
        self._wait()
        self.begun = time.perf_counter()

    def after(self, *_: Any) -> None:
        """A call ends."""
        self._wait()
        self.seconds.append(time.perf_counter() - self.begun)

    def finish(self) -> float | None:
        """Milliseconds of all kernels of a step."""
        if self.profiler is None:
            return None
        self.profiler.__exit__(None, None, None)
        steps = len(self.seconds) - 1 - TIMED
        return float(sum(event.self_device_time_total for event in self.profiler.key_averages())) / 1000 / steps

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def run(loaded: LoadedModel, call: Callable[[], Any]) -> tuple[Clock, float | None, Any]:
    """One answer under the clock, and the kernels' time of a decoding step."""
    clock = Clock(loaded.device)
    hooks = (
        loaded.model.register_forward_pre_hook(clock.before),
        loaded.model.register_forward_hook(clock.after),
    )
    try:
        result = call()
    finally:
        for hook in hooks:
            hook.remove()
        device_ms = clock.finish()
    return clock, device_ms, result


def measure(record: Record, loaded: LoadedModel, prompt: list[int], name: str, policy: Policy | None) -> None:
    """Both runs of one case; no policy is the library's own path."""
    for method in (policy.prefill, policy.decode, policy.kv) if policy else ():
        if method is not None:
            method.check(len(prompt))
    budget = 1 + TIMED + PROFILED
    on_cuda = loaded.device.type == "cuda"

    def ours() -> Any:
        return generate(loaded, [prompt], [budget], policy or DENSE)[1]

    def plain() -> None:
        ids = torch.tensor([prompt], device=loaded.device)
        loaded.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=budget, do_sample=False, use_cache=True
        )

    loaded.model.set_attn_implementation("sdpa" if policy is None else attention.NAME)
    call = plain if policy is None else ours
    first, _, _ = run(loaded, call)
    if on_cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(loaded.device)
    clock, device_ms, current = run(loaded, call)
    row: dict[str, Any] = {
        "what": name, "length": len(prompt), "prefill_seconds": round(clock.seconds[0], 4),
        "decode_ms": round(1000 * statistics.median(clock.seconds[1 : 1 + TIMED]), 3),
        "first_prefill_seconds": round(first.seconds[0], 3), "steps": TIMED,
    }  # fmt: skip
    if device_ms is not None:
        row["decode_device_ms"] = round(device_ms, 3)
    if on_cuda:
        row["peak_gb"] = round(torch.cuda.max_memory_allocated(loaded.device) / 1e9, 2)
    if current is not None:
        phases = ("prefill", "kv", "decode")
        row["sparsity"] = {phase: round(current.meter.measured(phase), 4) for phase in phases
                           if current.meter.measured(phase) is not None}  # fmt: skip
        row["computed_by"] = sorted(current.backends)
    record.add(**row)


def table(rows: list[dict[str, Any]]) -> None:
    """Times, and how many times faster than the library's own path and than this engine's dense one."""
    timed = [row for row in rows if "prefill_seconds" in row]
    of = {(row["what"], row["length"]): row for row in timed}
    print(f"\n{'':24}{'tokens':>8}{'prefill s':>11}{'x plain':>9}{'x dense':>9}", end="")
    print(f"{'decode ms':>11}{'device ms':>11}{'x plain':>9}{'x dense':>9}{'peak GB':>9}")
    for row in timed:
        ratios = {
            (column, against): f"{of[against, row['length']][column] / row[column]:.2f}"
            for column in ("prefill_seconds", "decode_ms")
            for against in (PLAIN, "dense")
            if (against, row["length"]) in of
        }
        cells = [f"{row['what']:24}{row['length']:>8}"]
        for column, more, width in (("prefill_seconds", (), 11), ("decode_ms", ("decode_device_ms",), 11)):
            cells.append(f"{row[column]:>{width}.3f}")
            cells += [f"{row.get(name, ''):>11}" for name in more]
            cells += [f"{ratios.get((column, against), ''):>9}" for against in (PLAIN, "dense")]
        print("".join(cells) + f"{row.get('peak_gb', ''):>9}")


def main(arguments: list[str] | None = None) -> int:
    """Measure; 1 where any case failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--lengths", type=int, nargs="+", default=[32768, 131072], help="in this order")
    parser.add_argument("--methods", nargs="+", choices=[PLAIN, *policies(0.9)], default=[PLAIN, *policies(0.9)])
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--seconds", type=float, default=600.0, help="no case begins later than this (default: 600)")
    parser.add_argument("--tiny", action="store_true", help="two small layers in float32, on any device")
    options = parser.parse_args(arguments)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and not options.tiny:
        parser.error("needs a CUDA device, or --tiny")
    record = Record(options.out, time.monotonic() + options.seconds)
    begun = time.monotonic()
    loaded = random_model(device, torch.float32 if options.tiny else torch.bfloat16, tiny=options.tiny)
    size = sum(weight.numel() for weight in loaded.model.parameters())
    record.add(
        what="run", device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        torch=str(torch.__version__), transformers=version("transformers"), weights=size, dtype=str(loaded.dtype),
        made_in_seconds=round(time.monotonic() - begun, 1), sparsity=options.sparsity, sources=source_hash(), files=[],
    )  # fmt: skip
    known = policies(options.sparsity)
    for length in options.lengths:
        generator = torch.Generator().manual_seed(length)
        prompt = torch.randint(1, loaded.model.config.vocab_size, (length,), generator=generator).tolist()
        for name in options.methods:
            case = functools.partial(measure, record, loaded, prompt, name, known.get(name))
            record.attempt(case, what=name, length=length)
            if device.type == "cuda":
                torch.cuda.empty_cache()
    table(record.rows)
    return 1 if record.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
