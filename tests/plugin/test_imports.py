"""What the plugin costs those who do not use it, and what collection costs those who do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "pydantic", "yaml", "scipy", "numpy", "rich", "filelock")


def loaded(folder: Path, *arguments: str) -> tuple[set[str], str]:
    """Heavy modules that a run of pytest in `folder` has loaded at its end, and what it printed."""
    given = [*arguments, "-p", "pytest_sparsetol.plugin"]
    script = (
        "import sys, pytest\n"
        f"code = pytest.main({given!r})\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
        "sys.exit(code)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("LOADED ")]
    return set(json.loads(line.removeprefix("LOADED ").replace("'", '"'))), run.stdout


def processor_time_of_children() -> float:
    """Seconds: where other tests run beside this one, the clock tells of them."""
    times = os.times()
    return times.children_user + times.children_system


def test_a_repository_without_a_contract_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_unit.py").write_text("def test_unit(): pass")

    assert loaded(tmp_path)[0] == set()


def test_collecting_a_contract_loads_no_torch(project: pytest.Pytester) -> None:
    modules, printed = loaded(project.path, "--co", "-q", "sparsetol.yaml")

    assert "6 tests collected" in printed
    assert modules & {"torch", "transformers", "scipy"} == set()


def test_importing_the_plugin_takes_under_ten_milliseconds() -> None:
    script = (
        "import time, pytest, argparse, fnmatch, pathlib\n"
        "begun = time.process_time()\n"
        "import pytest_sparsetol.plugin\n"
        "print(time.process_time() - begun)\n"
    )
    taken = min(
        float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    )

    assert taken < 0.010


def test_two_hundred_cells_are_collected_within_a_second(project: pytest.Pytester) -> None:
    deployments = "".join(
        f"  q{number}: {{decode: {{method: quest, sparsity: 0.{number:02d}}}}}\n" for number in range(10, 77)
    )
    text = (project.path / "sparsetol.yaml").read_text()
    begin, end = text.index("  safe:"), text.index("gate:")
    (project.path / "sparsetol.yaml").write_text(text[:begin] + deployments + text[end:])
    timings = []
    for _ in range(3):
        begun = processor_time_of_children()
        _, printed = loaded(project.path, "--co", "-q", "sparsetol.yaml")
        timings.append(processor_time_of_children() - begun)

    assert "201 tests collected" in printed
    # The interpreter and pytest itself are in this figure; the limit for all of it is the promise.
    assert min(timings) < 1.0
