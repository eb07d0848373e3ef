"""A project with a contract, a tiny random model and its recorded baselines, for tests that run pytest in pytest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from sparsetol_suites.suite import load_suite

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.policy import DENSE
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import save_model
from tests.plugin import agreement

ITEMS = 32
LENGTH = 256

SUITE = """\
suite: 1
name: agreement
version: 1
shortest: 64
longest: 4k
tasks:
  one: {task: agreement, data: references.json}
  four: {task: agreement, group: multi_qa, data: references.json}
"""

CONTRACT = """\
contract: 1
model: {path: model, dtype: float32, device: cpu}
suite: suite.yaml
lengths: [256]
mix: {single_qa: 0.7, multi_qa: 0.3}
deployments:
  safe:
    decode: {method: quest, sparsity: 0.0}
  harsh:
    prefill: {method: vertical_slash, sparsity: 0.5, window: 32, sinks: 1, local: 1}
gate:
  max_degradation: 0.10
  items: {max: 32, seed: 0}
profiles:
  wide: {gate: {max_degradation: 0.99}}
  thin: {gate: {max_degradation: 0.12, items: {max: 25}, inconclusive: warn}}
"""

CONFTEST = """\
from sparsetol_suites.registry import TASKS

TASKS["agreement"] = "agreement:Agreement"
"""


def make(folder: Path) -> Path:
    """Write the project; references are the model's own dense answers to the items of seed 0."""
    save_model("llama", folder / "model")
    shutil.copy(agreement.__file__, folder / "agreement.py")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "sparsetol.yaml").write_text(CONTRACT)
    (folder / "references.json").write_text("{}")
    add_references(folder, seed=0)
    return folder


def add_references(folder: Path, seed: int) -> None:
    """Take the model's dense answers to the items of a seed as references, beside those that are there."""
    spec = ModelSpec(path="model", dtype="float32", device="cpu")
    engine = Engine(ModelFiles("directory", "model", folder / "model"), spec)
    references = json.loads((folder / "references.json").read_text())
    for task in load_suite("suite.yaml", folder).tasks:
        for index in range(ITEMS):
            message = task.generate(LENGTH, engine.prompt, seed, index).prompt
            (answer,), _ = engine.answer([engine.prompt.encode(message)], [task.answer_tokens], DENSE)
            references[agreement.key(message)] = engine.text(answer)
    (folder / "references.json").write_text(json.dumps(references))
