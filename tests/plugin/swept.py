"""The project of `project`, made to be swept: answers count by their first word, which decoding leaves alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from sparsetol_suites.registry import TASKS

from tests.plugin import project

CONTRACT = """\
contract: 1
model: {path: model, dtype: float32, device: cpu}
suite: suite.yaml
lengths: [256]
mix: {single_qa: 0.7, multi_qa: 0.3}
deployments:
  both:
    prefill: {method: vertical_slash, sparsity: 0.01, window: 32, sinks: 1, local: 1}
    decode: {method: quest, sparsity: 0.5, page_size: 1}
gate:
  max_degradation: 0.30
  items: {max: 32, seed: 0}
sweep: {levels: [0.01, 0.5, 0.7, 0.995]}
"""

COUNTED = """\
        with open("answered.txt", "a") as file:
            file.write(item.id + "\\n")
        if not reply.strip():
"""

STOP = """\
        if Path("answered.txt").exists() and len(Path("answered.txt").read_text().split()) > 75:
            raise KeyboardInterrupt
        with open("""
"""In place of how `COUNTED` goes on: the run is stopped in its third cell."""

FIRST_WORD = """\
        return Score(float(reply.split()[:1] == wanted.get(key(item.prompt), "").split()[:1]))"""


def make(recorded: Path, folder: Path) -> Path:
    """A copy of the recorded project with another contract, and references for the items of seed 1 too."""
    shutil.copytree(recorded, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "sparsetol.yaml").write_text(CONTRACT)
    task = folder / "agreement.py"
    text = task.read_text().replace("        if not reply.strip():\n", COUNTED)
    wanted = "        return Score(float(reply == wanted.get(key(item.prompt))))"
    assert wanted in text
    task.write_text(text.replace(wanted, FIRST_WORD))
    TASKS["agreement"] = "tests.plugin.agreement:Agreement"
    try:
        project.add_references(folder, seed=1)
    finally:
        del TASKS["agreement"]
    return folder
