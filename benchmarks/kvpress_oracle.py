"""What kvpress 0.5.5 computes for SnapKV and AdaKV on given inputs; run where kvpress is installed.

kvpress needs a transformers under 5.3, so that it gets an environment of its own; nothing of this project is installed
there. With a build of torch for CPUs:

    python -m venv kvpress-env
    kvpress-env/bin/pip install kvpress==0.5.5 torch==2.13.0
    kvpress-env/bin/python -m benchmarks.kvpress_oracle large.json

writes `tests/methods/data/kvpress.json`, which the tests compare with, and the large cases to the file that is named,
for `python -m benchmarks.kvpress_agreement large.json` to compare in the environment of this project.

`AdaKVPress(SnapKVPress)` averages a key head's attention where the paper that we follow takes the largest weight, so
that it is run twice: as it is, and around a scorer that differs from `SnapKVPress` in nothing but that.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from kvpress import AdaKVPress, SnapKVPress
from torch import Tensor, nn
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from benchmarks.kvpress_cases import LARGE, MODELS, SMALL, ModelCase, TensorCase, digest

FIXTURE = Path(__file__).parents[1] / "tests/methods/data/kvpress.json"


class LargestWeight(SnapKVPress):  # type: ignore[misc]  # kvpress is not installed where types are checked
    """A token's score is the largest weight that any query of the window in any head of the group pays it."""

    def score(self, module: Any, hidden_states: Tensor, keys: Tensor, *more: Any) -> Tensor:
        """`[batch, key heads, length]`, the window's own tokens above all."""
        *_, call = more
        weights = self.compute_window_attention(
            module, hidden_states, keys, self.window_size, call["position_embeddings"]
        )
        batch, key_heads, length, _ = keys.shape
        largest = weights.reshape(batch, key_heads, -1, weights.shape[-1]).amax(dim=2)
        pooled = nn.functional.avg_pool1d(largest, self.kernel_size, stride=1, padding=self.kernel_size // 2)
        return nn.functional.pad(pooled, (0, length - pooled.shape[-1]), value=float(pooled.max()) + 1)


def presses(window: int, pool: int, sparsity: float) -> dict[str, SnapKVPress]:
    """Scorers by how they put a key head's weights together."""
    settings = {"compression_ratio": sparsity, "window_size": window, "kernel_size": pool}
    return {"mean": SnapKVPress(**settings), "max": LargestWeight(**settings)}


def tensor_case(case: TensorCase, digits: int = 7) -> dict[str, Any]:
    """Scores of both scorers to `digits` significant digits, and what SnapKV and AdaKV keep."""
    query, key = case.tensors()
    hidden = torch.from_numpy(query).transpose(0, 1).reshape(1, case.length, -1)
    keys = torch.from_numpy(key)[None]
    # An attention layer whose queries are its input, without rotation: the press sees just the given queries.
    module = SimpleNamespace(
        config=SimpleNamespace(
            num_attention_heads=case.heads, num_key_value_heads=case.key_heads, _attn_implementation="sdpa"
        ),
        head_dim=case.size,
        q_proj=nn.Identity(),
    )
    unrotated = torch.ones(1, case.length, case.size), torch.zeros(1, case.length, case.size)
    places = torch.arange(case.length, dtype=torch.float32)[:, None].expand(1, case.key_heads, -1, case.size)
    arguments = (module, hidden, keys, places, None, {"position_embeddings": unrotated})
    by = presses(case.window, case.pool, case.sparsity)
    kept = by["mean"].compress(*arguments)[1][0, :, :, 0].long()
    result: dict[str, Any] = {
        "case": case.name,
        "inputs": digest(query, key),
        "snapkv": bits(torch.zeros(case.key_heads, case.length, dtype=torch.bool).scatter_(1, kept, value=True)),
    }
    for over, press in by.items():
        scores = press.score(*arguments)[0, :, : case.length - case.window]
        result[over] = [[float(f"{score:.{digits}g}") for score in row] for row in scores.tolist()]
        AdaKVPress(press).compress(*arguments)
        result[f"ada {over}"] = bits(left(module, case.key_heads, case.length))
    return result


def left(module: Any, key_heads: int, length: int) -> Tensor:
    """What AdaKV left unmasked in a layer: bool `[key heads, length]`."""
    _, heads, tokens = module.masked_key_indices
    kept = torch.ones(key_heads, length, dtype=torch.bool)
    kept[heads, tokens] = False
    return kept


def bits(kept: Tensor) -> list[str]:
    """Each head's kept tokens as hexadecimal digits, the first token in the first digit's highest bit."""
    return [np.packbits(row).tobytes().hex() for row in kept.numpy()]


@torch.inference_mode()
def model_case(case: ModelCase) -> dict[str, Any]:
    """What each layer keeps of the prompt, and the logits of the tokens after it."""
    model: Any = LlamaForCausalLM(LlamaConfig(**case.config | {"attn_implementation": "sdpa"}))
    model.eval()
    shapes = [(name, tuple(parameter.shape)) for name, parameter in model.named_parameters()]
    weights = case.weights(shapes)
    model.load_state_dict({name: torch.from_numpy(part) for name, part in weights.items()}, strict=False)
    by = presses(case.window, 1, case.sparsity)
    result: dict[str, Any] = {"case": case.name, "inputs": digest(*weights.values())}
    for name, press in {
        "snapkv": by["mean"],
        "ada mean": AdaKVPress(by["mean"]),
        "ada max": AdaKVPress(by["max"]),
    }.items():
        ids = torch.tensor([case.tokens()])
        whole: Any = DynamicCache()
        cache: Any = DynamicCache()
        model(ids[:, : case.length], past_key_values=whole)
        with press(model):
            model(ids[:, : case.length], past_key_values=cache)
        layers = [layer.self_attn for layer in model.model.layers]
        kept = [
            found(whole.layers[index].keys[0], cache.layers[index].keys[0])
            if name == "snapkv"
            else left(layer, case.key_heads, case.length)
            for index, layer in enumerate(layers)
        ]
        logits = []
        for place in range(case.length, ids.shape[1]):
            step = ids[:, place : place + 1]
            out = model(step, past_key_values=cache, position_ids=torch.tensor([[place]]))
            logits.append([round(value, 5) for value in out.logits[0, -1].tolist()])
        for layer in layers:
            layer.masked_key_indices = None
        result[name] = {"kept": [bits(layer) for layer in kept], "logits": logits}
    return result


def found(whole: Tensor, kept: Tensor) -> Tensor:
    """Which rows of `whole`, `[key heads, length, size]`, are among those of `kept`: bool `[key heads, length]`."""
    return (whole[:, :, None] == kept[:, None]).all(dim=-1).any(dim=-1)


def write(path: Path, **results: list[dict[str, Any]]) -> None:
    """One case a line, under the versions that computed it."""
    versions = {"python": platform.python_version()} | {
        name: version(name) for name in ("kvpress", "transformers", "torch", "numpy")
    }
    lines = [f'"versions": {json.dumps(versions)}']
    for name, cases in results.items():
        rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        lines.append(f'"{name}": [\n{rows}\n]')
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    """Write the fixture, and the large cases to the file named on the command line."""
    FIXTURE.parent.mkdir(exist_ok=True)
    write(FIXTURE, tensors=[tensor_case(case) for case in SMALL], models=[model_case(case) for case in MODELS])
    write(Path(sys.argv[1]), tensors=[tensor_case(case) for case in LARGE])
    print(f"{FIXTURE}: {FIXTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
