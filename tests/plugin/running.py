"""Running a project's contract and reading what came out."""

from __future__ import annotations

import json
from typing import Any

import pytest


def run(project: pytest.Pytester, *arguments: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    """Run the contract; give what pytest showed, and the JSON report by node id without the file's name."""
    result = project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "report.json", *arguments)
    path = project.path / "report.json"
    report = json.loads(path.read_text()) if path.exists() else {"cells": [], "mix": []}
    return result, {entry["node_id"].partition("::")[2]: entry for entry in (*report["cells"], *report["mix"])}


def edit(project: pytest.Pytester, right: str, other: str, name: str = "sparsetol.yaml") -> None:
    """Replace a text that stands in a file of the project."""
    path = project.path / name
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, other))
