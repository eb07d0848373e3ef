"""A contract that is right, for tests to break."""

from __future__ import annotations

import json
from pathlib import Path

GOOD = """\
contract: 1
model: {path: model, dtype: float32}
suite: frontier-small
lengths: [1k, 2k]
mix: {single_qa: 0.7, multi_qa: 0.3}
deployments:
  quest-10x:
    decode: {method: quest, sparsity: 0.90}
  release:
    prefill: {method: vertical_slash, sparsity: {1k: 0.5, 2k: 0.67}, window: 128}
    decode: {method: quest, sparsity: 0.8}
gate:
  max_degradation: 0.05
  groups: {multi_qa: 0.08}
  mix: 0.04
  min_dense: {single_qa: 0.60}
  items: {max: 200, seed: 0}
profiles:
  premerge: {lengths: [1k], gate: {max_degradation: 0.10, items: {max: 64}, inconclusive: warn}}
"""


def write(folder: Path, text: str = GOOD) -> Path:
    """Write a contract beside a model directory that says what it can hold."""
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "config.json").write_text(json.dumps({"max_position_embeddings": 4096}))
    path = folder / "sparsetol.yaml"
    path.write_text(text)
    return path
