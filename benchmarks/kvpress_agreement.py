"""Compares `snapkv` and `ada_snapkv` with what kvpress computed for the same inputs.

    python -m benchmarks.kvpress_agreement large.json

reads the fixture of the tests and the file that `benchmarks/kvpress_oracle.py` wrote, and writes
`benchmarks/results/kvpress.json` and `kvpress.md`. Our methods get kvpress's settings: no sinks, the window always
kept, its pooling, its number of tokens.

Where the definitions differ, only what is common to both is compared:

- kvpress leaves the window's own tokens out before it averages neighbours, here they count: scores are compared up to
  half a pool before the window, and kept tokens must be the same where nothing is pooled or the window is quiet;
- kvpress averages over the window's queries, `snapkv` sums: a factor;
- `AdaKVPress(SnapKVPress)` takes means where `ada_snapkv` takes the largest weight: kvpress's rule is run on a scorer
  of largest weights, and as it is where one query of one head scores, so that both are the same.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sparsetol_kernels.snapkv import snapkv_scores
from torch import Tensor
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from benchmarks.kvpress_cases import LARGE, MODELS, SMALL, ModelCase, TensorCase, digest
from pytest_sparsetol.engine import attention
from pytest_sparsetol.engine.attention import Pass, forward_pass
from pytest_sparsetol.engine.generate import with_cache
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from pytest_sparsetol.methods.snapkv import SnapKV

FIXTURE = Path(__file__).parents[1] / "tests/methods/data/kvpress.json"
RESULTS = Path(__file__).parent / "results"
TIED = 1e-5
"""Tokens whose scores differ by no more than this share are tied: both sides compute in float32."""


@dataclass(frozen=True)
class Agreement:
    """One case.

    Attributes:
        case: its name.
        comparable: whether both definitions keep the same tokens.
        kept: tokens that kvpress keeps in all key heads together, or in all layers of a model.
        error: largest difference of scores, as a share of the score; of logits, in a model, over the largest.
        snapkv: tokens that one side keeps and the other drops, for no tie.
        ada_snapkv: the same, under kvpress's rule of sharing and scores by largest weight.
        ada_as_it_is: the same, under kvpress's own scores; None where they are others by definition.

    """

    case: str
    comparable: bool
    kept: int
    error: float
    snapkv: int
    ada_snapkv: int
    ada_as_it_is: int | None


def read(path: Path) -> dict[str, Any]:
    """Versions, and cases by kind and name."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found | {
        kind: {case["case"]: case for case in found[kind]} for kind in ("tensors", "models") if kind in found
    }


def compare_tensors(case: TensorCase, theirs: dict[str, Any]) -> Agreement:
    """Scores and kept tokens of one layer."""
    arrays = case.tensors()
    _same_inputs(case.name, theirs, digest(*arrays))
    query, key = map(torch.from_numpy, arrays)
    scores = {over: _padded(theirs[over], case) for over in ("mean", "max")}
    common = case.length - case.window - (0 if case.quiet else case.pool // 2)
    error = 0.0
    for over, factor in (("mean", case.window), ("max", 1)):
        ours = snapkv_scores(query, key, case.size**-0.5, case.window, case.pool, over) / factor  # type: ignore[arg-type]  # of two literals
        error = max(error, float((ours / scores[over] - 1)[:, :common].abs().max()))
    expected = {name: kept(theirs[name], case.length) for name in ("snapkv", "ada max", "ada mean")}
    snapkv, ada = methods(case.window, case.pool, int(expected["snapkv"][0].sum()))
    ours_even = snapkv.select(query, key, case.size**-0.5)
    ours_ada = ada.select(query, key, case.size**-0.5)
    same_scores = case.window == 1 and case.heads == case.key_heads
    return Agreement(
        case.name,
        comparable=case.quiet or case.pool == 1,
        kept=int(expected["snapkv"].sum()),
        error=error,
        snapkv=sum(disputed(*head) for head in zip(ours_even, expected["snapkv"], scores["mean"], strict=True)),
        ada_snapkv=disputed(ours_ada, expected["ada max"], scores["max"]),
        ada_as_it_is=disputed(ours_ada, expected["ada mean"], scores["mean"]) if same_scores else None,
    )


@torch.inference_mode()
def compare_model(case: ModelCase, theirs: dict[str, Any]) -> Agreement:
    """What the layers of a Llama keep, and its logits for later tokens."""
    attention.register()
    model: Any = LlamaForCausalLM(LlamaConfig(**case.config | {"attn_implementation": attention.NAME}))
    model.eval()
    weights = case.weights((name, tuple(parameter.shape)) for name, parameter in model.named_parameters())
    _same_inputs(case.name, theirs, digest(*weights.values()))
    model.load_state_dict({name: torch.from_numpy(part) for name, part in weights.items()}, strict=False)
    capacity = int(kept(theirs["snapkv"]["kept"][0], case.length)[0].sum())
    snapkv, ada = methods(case.window, 1, capacity)
    error, differing = 0.0, {}
    for name, method in (("snapkv", snapkv), ("ada max", ada), ("ada mean", ada)):
        if name == "ada mean" and not (case.window == 1 and case.heads == case.key_heads):
            continue
        left, logits = _decode(model, case, method)
        wanted = torch.tensor(theirs[name]["logits"])
        error = max(error, float((logits - wanted).abs().max() / wanted.abs().max()))
        differing[name] = sum(
            int((found ^ kept(layer, case.length)).sum())
            for found, layer in zip(left, theirs[name]["kept"], strict=True)
        )
    return Agreement(
        case.name,
        comparable=True,
        kept=2 * case.key_heads * capacity,
        error=error,
        snapkv=differing["snapkv"],
        ada_snapkv=differing["ada max"],
        ada_as_it_is=differing.get("ada mean"),
    )


def methods(window: int, pool: int, capacity: int) -> tuple[SnapKV, AdaSnapKV]:
    """With kvpress's settings."""
    settings = {"window": window, "local": window, "sinks": 0, "pool": pool, "capacity": capacity}
    return SnapKV(None, **settings), AdaSnapKV(None, **settings)


def disputed(ours: Tensor, theirs: Tensor, scores: Tensor) -> int:
    """Tokens that only one side keeps; none where all of them have the same score."""
    differing = scores[ours ^ theirs]
    if not len(differing) or float(differing.max() - differing.min()) <= TIED * float(differing.max()):
        return 0
    return len(differing)


def kept(hexadecimal: list[str], length: int) -> Tensor:
    """Bool `[key heads, length]`, from the oracle's digits."""
    rows = [np.unpackbits(np.frombuffer(bytes.fromhex(row), np.uint8))[:length] for row in hexadecimal]
    return torch.from_numpy(np.stack(rows)).bool()


def _same_inputs(name: str, theirs: dict[str, Any], ours: str) -> None:
    if theirs["inputs"] != ours:
        raise ValueError(f"{name}: kvpress was given other numbers; run benchmarks/kvpress_oracle.py again")


def _padded(rows: list[list[float]], case: TensorCase) -> Tensor:
    """Scores of all tokens, those of the window being infinite."""
    return torch.nn.functional.pad(torch.tensor(rows), (0, case.window), value=float("inf"))


def _decode(model: Any, case: ModelCase, method: SnapKV) -> tuple[list[Tensor], Tensor]:
    """What each layer keeps of the prompt, and the logits of the tokens after it."""
    ids = torch.tensor([case.tokens()])
    current = Pass(Policy(kv=method), [0], longest=ids.shape[1])
    cache = with_cache(model, DynamicCache())
    logits = []
    with forward_pass(current):
        model(input_ids=ids[:, : case.length], **cache)
        current.phase = "decode"
        for place in range(case.length, ids.shape[1]):
            step = ids[:, place : place + 1]
            logits.append(model(input_ids=step, position_ids=torch.tensor([[place]]), **cache).logits[0, -1])
    left = []
    for layer in range(2):
        retained = current.retained[layer, 0]
        found = torch.zeros(case.key_heads, case.length, dtype=torch.bool)
        for head, count in enumerate(retained.count.tolist()):
            found[head, retained.tokens[head, :count]] = True
        left.append(found)
    return left, torch.stack(logits)


def table(rows: list[Agreement]) -> str:
    """In Markdown."""
    lines = [
        "| case | kept | error | `snapkv` | `ada_snapkv` | AdaKV as it is |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.case} | {row.kept} | {row.error:.0e} | {row.snapkv} | {row.ada_snapkv} | "
        f"{'other scores' if row.ada_as_it_is is None else row.ada_as_it_is} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Compare every case; exit with 1 where a comparable one differs."""
    small, large = read(FIXTURE), read(Path(sys.argv[1]))
    if small["versions"] != large["versions"]:
        raise SystemExit("the two files come from different versions; run benchmarks/kvpress_oracle.py again")
    tensors = [compare_tensors(case, small["tensors"][case.name]) for case in SMALL]
    tensors += [compare_tensors(case, large["tensors"][case.name]) for case in LARGE]
    models = [compare_model(case, small["models"][case.name]) for case in MODELS]
    versions = {
        "kvpress": small["versions"],
        "here": {name: version(name) for name in ("transformers", "torch", "numpy")},
    }
    result = {"versions": versions, "tensors": list(map(asdict, tensors)), "models": list(map(asdict, models))}
    (RESULTS / "kvpress.json").write_text(json.dumps(result, indent=1) + "\n")
    text = f"""# SnapKV and Ada-SnapKV against kvpress

Made by `benchmarks/kvpress_agreement.py` from what `benchmarks/kvpress_oracle.py` computed, on CPU in float32:

- kvpress {small["versions"]["kvpress"]} with transformers {small["versions"]["transformers"]}, torch \
{small["versions"]["torch"]};
- ours with transformers {versions["here"]["transformers"]}, torch {versions["here"]["torch"]}.

*Kept* counts the tokens that kvpress keeps, over all key heads; *error* is the largest difference of a score, as a
share of it; the last three columns count tokens that one side keeps and the other drops, tokens that tie aside.
*As it is* compares with `AdaKVPress(SnapKVPress)` where its mean over queries is our maximum, which is where one query
of one head scores; elsewhere kvpress's rule runs on a scorer of largest weights.

## Where both definitions keep the same

A *quiet* window draws no attention to its own tokens, so that it does not matter that kvpress leaves them out of the
average over neighbours and we do not.

{table([row for row in tensors if row.comparable])}

## Where they do not

With a pool of more than one token, ours lets the window's own tokens raise their neighbours, half a pool before the
window. Other tokens' scores are the same, and few kept tokens change:

{table([row for row in tensors if not row.comparable])}

## Whole models

Llama of two layers with random weights. *Error* is the largest difference of the logits of the four tokens after the
prompt, over the largest logit; kept tokens count over both layers.

{table(models)}
"""
    (RESULTS / "kvpress.md").write_text(text)
    print(text)
    wrong = [
        row.case for row in (*tensors, *models) if row.comparable and (row.snapkv or row.ada_snapkv or row.ada_as_it_is)
    ]
    raise SystemExit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
