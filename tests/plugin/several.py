"""The project with a second, smaller model: items count as right that either model answers as it does dense, but for
every third item the smaller one's answer is wrong."""

from __future__ import annotations

import json

import pytest
from sparsetol_suites.suite import load_suite

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.policy import DENSE
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import save_smaller_llama
from tests.plugin import agreement
from tests.plugin.project import ITEMS, LENGTH
from tests.plugin.running import edit

MODELS = """\
model:
  - {path: model, name: larger, dtype: float32, device: cpu, deployments: [safe, harsh]}
  - {path: small, name: smaller, dtype: float32, device: cpu, deployments: [as-is]}
"""


def add_smaller_model(project: pytest.Pytester) -> None:
    """Make the model, take its answers as references too, and list both in the contract."""
    folder = save_smaller_llama(project.path / "small")
    engine = Engine(ModelFiles("directory", "small", folder), ModelSpec(path="small", dtype="float32", device="cpu"))
    path = project.path / "references.json"
    references = json.loads(path.read_text())
    for task in load_suite("suite.yaml", project.path).tasks:
        for index in range(ITEMS):
            message = task.generate(LENGTH, engine.prompt, 0, index).prompt
            (answer,), _ = engine.answer([engine.prompt.encode(message)], [task.answer_tokens], DENSE)
            key = agreement.key(message)
            references[key] = [references[key], *([engine.text(answer)] if index % 3 else [])]
    path.write_text(json.dumps(references))
    edit(project, "reply == wanted.get(key(item.prompt))", "reply in wanted.get(key(item.prompt), [])", "agreement.py")
    edit(project, "model: {path: model, dtype: float32, device: cpu}\n", MODELS)
    edit(project, "deployments:\n  safe:", "deployments:\n  as-is: {}\n  safe:")
