"""How well the cost of attention and MLP predicts time: random Llama shapes, lengths and sparsities, in one run.

    export PYTHONPATH=$PWD:$PWD/kernels:$PWD/suites
    python benchmarks/equal_compute.py --device cpu --out benchmarks/results/equal_compute-cpu.json
    python benchmarks/equal_compute.py --device cuda --out benchmarks/results/equal_compute-cuda.json

Prompts are read, and tokens are decoded over a cache of random keys and values, through the engine's own attention.
The cache is allocated beforehand, as serving engines and the gate have it. What is
timed does not count how sparse it is. On a CPU a time is that of the process on one thread, so that what else the
machine does counts little. On CUDA it is the sum of the kernels' times, so that the gaps between launches, which a
serving engine closes by graphs, do not count. Wall time stands beside it. A point's time is the least of its repeats,
its spread the largest by the least.

A CPU computes sparse prefill by definition, all pairs with a mask, so that only its dense points can follow the cost.

Predicted is the ratio of two points' times at the same length: a larger model under a method against a smaller one
that is dense is such a pair. An error is the factor between the ratio of times and the ratio of costs. Rates are
fitted to the dense points: how much of each part of the cost a second does, which the cost model takes for equal.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from scipy.optimize import nnls
from scipy.stats import spearmanr
from sparsetol_kernels.selection import BlockSelection, LineSelection
from transformers import AutoModelForCausalLM, DynamicCache, LlamaConfig
from transformers.cache_utils import DynamicLayer

from pytest_sparsetol.cost.decode import decode_bytes
from pytest_sparsetol.cost.prefill import prefill_flops
from pytest_sparsetol.cost.shape import Shape, shape_of
from pytest_sparsetol.engine import attention
from pytest_sparsetol.engine.attention import Pass, forward_pass
from pytest_sparsetol.engine.generate import generate, with_cache
from pytest_sparsetol.engine.load import LoadedModel
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.methods.block_sparse import BlockSparse
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from pytest_sparsetol.report.jsonfile import environment

VOCABULARY = 1024
"""Small, as the output head is not part of the cost."""


@dataclass(frozen=True)
class Setting:
    """What is measured on a kind of device. Shapes: width, layers, query heads, key heads, head size, MLP width."""

    shapes: dict[str, tuple[int, int, int, int, int, int]]
    dtype: torch.dtype
    prefill_lengths: tuple[int, ...]
    decode: tuple[tuple[int, int], ...]
    prefill_policies: dict[str, Policy]
    decode_policies: dict[str, Policy]
    steps: int
    repeats: int


CPU = Setting(
    shapes={
        "small": (128, 4, 4, 2, 32, 352),
        "medium": (256, 4, 8, 4, 32, 704),
        "large": (384, 6, 12, 4, 32, 1024),
    },
    dtype=torch.float32,
    prefill_lengths=(256, 512, 1024, 2048),
    decode=((1024, 1), (4096, 1), (16384, 1), (4096, 4)),
    prefill_policies={"dense": DENSE, "block_sparse 0.8": Policy(prefill=BlockSparse(0.8))},
    decode_policies={"dense": DENSE, "quest 0.9": Policy(decode=Quest(0.9))},
    steps=4,
    repeats=3,
)

CUDA = Setting(
    shapes={
        "1B": (2048, 16, 32, 8, 64, 8192),
        "3B": (3072, 28, 24, 8, 128, 8192),
        "8B": (4096, 32, 32, 8, 128, 14336),
    },
    dtype=torch.bfloat16,
    prefill_lengths=(4096, 16384, 32768),
    decode=((4096, 1), (32768, 1), (32768, 8)),
    prefill_policies={
        "dense": DENSE,
        "block_sparse 0.8": Policy(prefill=BlockSparse(0.8)),
        "vertical_slash 0.8": Policy(prefill=VerticalSlash(0.8)),
    },
    decode_policies={
        "dense": DENSE,
        "quest 0.8": Policy(decode=Quest(0.8)),
        "quest 0.95": Policy(decode=Quest(0.95)),
    },
    steps=4,
    repeats=2,
)


class Filled(DynamicLayer):  # type: ignore[no-untyped-call]  # transformers leaves its hook untyped
    """A cache layer that holds `cached` random tokens and has room for more, written in place."""

    def __init__(self, shape: Shape, batch: int, cached: int, room: int, like: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        size = (batch, shape.key_heads, cached + room)
        self.all_keys = torch.randn(*size, shape.key_size, dtype=like.dtype, device=like.device)
        self.all_values = torch.randn(*size, shape.value_size, dtype=like.dtype, device=like.device)
        self.is_initialized = True
        self.rewind(cached)

    def rewind(self, cached: int) -> None:
        """Forget what came after the first `cached` tokens."""
        self.keys, self.values = self.all_keys[:, :, :cached], self.all_values[:, :, :cached]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new tokens behind the others."""
        begin = self.get_seq_length()
        end = begin + key_states.shape[2]
        self.all_keys[:, :, begin:end], self.all_values[:, :, begin:end] = key_states, value_states
        self.keys, self.values = self.all_keys[:, :, :end], self.all_values[:, :, :end]
        return self.keys, self.values


def build(sizes: Sequence[int], setting: Setting, device: torch.device) -> LoadedModel:
    """A random model whose attention is the engine's."""
    width, layers, heads, key_heads, head_size, inner = sizes
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=width, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=key_heads, head_dim=head_size, max_position_embeddings=2**17,
        eos_token_id=None, bos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    with device:
        model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
            config, attn_implementation=attention.NAME, dtype=setting.dtype
        )
    tokenizer = SimpleNamespace(pad_token_id=0, eos_token_id=None)
    return LoadedModel(model.eval().requires_grad_(requires_grad=False), tokenizer, device, setting.dtype)


def timed(call: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Seconds of the device and of the wall."""
    if device.type == "cpu":
        begun, wall = time.process_time(), time.perf_counter()
        call()
        return time.process_time() - begun, time.perf_counter() - wall
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        begun = time.perf_counter()
        call()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - begun
    return sum(event.self_device_time_total for event in profile.key_averages()) / 1e6, seconds


@contextmanager
def uncounted() -> Iterator[None]:
    """Inside, selections of prefill do not work out how sparse they are."""
    with ExitStack() as stack:
        for kind in (BlockSelection, LineSelection):
            for name in ("attended", "loaded"):
                stack.enter_context(patch.object(kind, name, lambda _: torch.ones(1)))
        yield


def repeated(call: Callable[[], object], setting: Setting, device: torch.device) -> dict[str, Any]:
    """The least of several times, after one that does not count."""
    with uncounted():
        call()
        times = [timed(call, device) for _ in range(setting.repeats)]
    least = min(seconds for seconds, _ in times)
    return {
        "seconds": least,
        "wall_seconds": min(wall for _, wall in times),
        "n": len(times),
        "spread": max(seconds for seconds, _ in times) / least,
    }


def prefills(name: str, loaded: LoadedModel, setting: Setting) -> Iterator[dict[str, Any]]:
    """A row for each length and policy."""
    shape = shape_of(loaded.model)
    generator = torch.Generator().manual_seed(1)
    for length in setting.prefill_lengths:
        prompt = torch.randint(VOCABULARY, (length,), generator=generator).tolist()
        for policy_name, policy in setting.prefill_policies.items():
            _, current = generate(loaded, [prompt], [1], policy)
            saved = current.meter.loaded_sparsity("prefill") or 0.0
            scored = policy.prefill.scored_pairs(length) if policy.prefill else 0.0
            cost = prefill_flops(shape, length, 1 - saved, scored)

            def read(prompt: list[int] = prompt, policy: Policy = policy) -> object:
                return generate(loaded, [prompt], [1], policy)

            yield {
                "phase": "prefill", "model": name, "policy": policy_name, "length": length, "batch": 1,
                "backend": ", ".join(sorted(current.backends)), "loaded_sparsity": saved, "cost": cost.total,
                "parts": {"matrices": cost.matrices, "attention": cost.attention + cost.selection},
                # What the paper counts: all pairs, causal or not.
                "cost_all_pairs": cost.total + cost.attention,
                **repeated(read, setting, loaded.device),
            }  # fmt: skip


def decodes(name: str, loaded: LoadedModel, setting: Setting) -> Iterator[dict[str, Any]]:
    """A row for each number of cached tokens, batch and policy; seconds of a token of one sequence."""
    shape = shape_of(loaded.model)
    for cached, batch in setting.decode:
        like = next(loaded.model.parameters())
        # A step to warm up, then the repeats and one that does not count. Nothing is decoded twice: page bounds grow
        # with the cache, as in a run, and are not computed anew.
        room = 1 + setting.steps * (setting.repeats + 1)
        layers = [Filled(shape, batch, cached, room, like) for _ in shape.windows]
        for policy_name, policy in setting.decode_policies.items():
            for layer in layers:
                layer.rewind(cached)
            cache = DynamicCache()
            cache.layers = list(layers)
            current = Pass(policy, [0] * batch, longest=cached + room, phase="decode")

            def steps(count: int, cache: DynamicCache = cache, current: Pass = current, batch: int = batch) -> None:
                with forward_pass(current):
                    for _ in range(count):
                        ids = torch.full((batch, 1), 7, device=loaded.device)
                        positions = torch.full((batch, 1), cache.get_seq_length(), device=loaded.device)
                        arguments = with_cache(loaded.model, cache)
                        loaded.model(input_ids=ids, position_ids=positions, logits_to_keep=1, **arguments)

            steps(1)
            found = repeated(functools.partial(steps, setting.steps), setting, loaded.device)
            saved = current.meter.loaded_sparsity("decode") or 0.0
            cost = decode_bytes(shape, cached, batch, 1 - saved)
            tokens = setting.steps * batch
            yield {
                "phase": "decode", "model": name, "policy": policy_name, "length": cached, "batch": batch,
                "backend": ", ".join(sorted(current.backends)), "loaded_sparsity": saved, "cost": cost.total,
                "parts": {"matrices": cost.weights, "attention": cost.cache},
                **found, "seconds": found["seconds"] / tokens, "wall_seconds": found["wall_seconds"] / tokens,
            }  # fmt: skip


def points(setting: Setting, device: torch.device) -> Iterator[dict[str, Any]]:
    """All rows, a model after the other."""
    for name, sizes in setting.shapes.items():
        loaded = build(sizes, setting, device)
        yield from prefills(name, loaded, setting)
        yield from decodes(name, loaded, setting)
        # Before the next one is made: two do not fit.
        del loaded


def show(row: dict[str, Any]) -> None:
    """One line."""
    point = f"{row['phase']:8}{row['model']:7} {row['policy']:19} {row['length']:6} x{row['batch']}"
    cost = f"{row['cost']:.3g} ({100 * row['parts']['attention'] / row['cost']:.0f} % attention)"
    took = f"{1e3 * row['seconds']:.3g} ms (wall {1e3 * row['wall_seconds']:.3g}, spread {row['spread']:.2f})"
    print(f"{point}  cost {cost}  {took}  {row['cost'] / row['seconds'] / 1e9:.4g} G/s", flush=True)


def summary(rows: Sequence[dict[str, Any]], phase: str, which: str, cost: str = "cost") -> dict[str, Any]:
    """Rank correlation of cost and time, and the error of predicted ratios between points of one length and batch.

    Args:
        rows: of a run.
        phase: `prefill` or `decode`.
        which: `dense` points alone, or `all`; `across`: ratios of a larger model's sparse points to a smaller's dense.
        cost: which cost.

    """
    points = [row for row in rows if row["phase"] == phase and (which != "dense" or row["policy"] == "dense")]
    errors = []
    for one, other in itertools.permutations(points, 2):
        if (one["length"], one["batch"]) != (other["length"], other["batch"]):
            continue
        across = one["policy"] != "dense" and other["policy"] == "dense" and one["dense_cost"] > other["cost"]
        if across if which == "across" else one["cost"] > other["cost"]:
            errors.append(math.log((one["seconds"] / other["seconds"]) / (one[cost] / other[cost])))
    factors = sorted(abs(error) for error in errors)
    counted = {"phase": phase, "points": which, "cost": cost, "n_points": len(points), "n_pairs": len(errors)}
    if not errors:
        # A run that was stopped before its second model.
        return counted
    return counted | {
        "rank_correlation": float(
            spearmanr([row[cost] for row in points], [row["seconds"] for row in points]).statistic
        ),
        "median_error": math.exp(statistics.median(factors)),
        "p90_error": math.exp(factors[math.ceil(0.9 * len(factors)) - 1]),
        "worst_error": math.exp(factors[-1]),
        # Above 1: what costs more takes even longer than that.
        "median_bias": math.exp(statistics.median(errors)),
    }  # fmt: skip


def rates(rows: Sequence[dict[str, Any]], phase: str) -> dict[str, Any]:
    """FLOPs or bytes a second of each part, by least squares of relative errors over dense points."""
    points = [row for row in rows if row["phase"] == phase and row["policy"] == "dense"]
    if not points:
        return {"phase": phase, "n_points": 0}
    parts = ("matrices", "attention")
    sides = np.array([[row["parts"][part] / row["seconds"] for part in parts] for row in points])
    per_unit, _ = nnls(sides, np.ones(len(points)))
    found: dict[str, Any] = {
        part: float(1 / unit) if unit else None for part, unit in zip(parts, per_unit, strict=True)
    }
    return {"phase": phase, "n_points": len(points), **found, "worst_error": float(abs(sides @ per_unit - 1).max())}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", choices=["cpu", "cuda"], required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after the point at which they are over")
    options = parser.parse_args()
    device, setting = torch.device(options.device), CPU if options.device == "cpu" else CUDA
    attention.register()
    if device.type == "cpu":
        torch.set_num_threads(1)
    begun = time.monotonic()
    rows: list[dict[str, Any]] = []
    complete = True
    with torch.inference_mode():
        for row in points(setting, device):
            rows.append(row)
            show(row)
            if time.monotonic() - begun > options.seconds:
                complete = False
                print(f"stopped after {options.seconds:g} s, {len(rows)} points: what follows is of these")
                break
    dense = {
        (row["phase"], row["model"], row["length"], row["batch"]): row["cost"]
        for row in rows
        if row["policy"] == "dense"
    }
    for row in rows:
        row["dense_cost"] = dense[row["phase"], row["model"], row["length"], row["batch"]]
    found = [summary(rows, phase, which) for phase in ("prefill", "decode") for which in ("dense", "all", "across")]
    found += [summary(rows, "prefill", which, "cost_all_pairs") for which in ("dense", "all", "across")]
    speeds = [rates(rows, phase) for phase in ("prefill", "decode")]
    for line in (*found, *speeds):
        print(line)
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    result = {
        "device": name, "complete": complete, "seconds": round(time.monotonic() - begun, 1),
        "dtype": str(setting.dtype), "shapes": setting.shapes, "environment": environment(),
        "summary": found, "rates": speeds,
    }  # fmt: skip
    print(f"{name}: {result['seconds']} s")
    if options.out is not None:
        lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        head = json.dumps(result, indent=1).removesuffix("\n}")
        options.out.write_text(f'{head},\n "rows": [\n{lines}\n ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
