"""One project is made and its baselines recorded once; each test gets a copy of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sparsetol_suites.registry import TASKS

# Runs inside this process must not load torch anew.
import pytest_sparsetol.runner  # noqa: F401  # for that alone
from tests.plugin import project as source


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny models gain nothing from threads, and several processes of several threads fight over the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its baselines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "agreement", "tests.plugin.agreement:Agreement")
        folder = source.make(tmp_path_factory.mktemp("project"))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "sparsetol.yaml", "--sparsetol-record", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "baselines").is_dir(), run.stdout + run.stderr
    return folder


@pytest.fixture
def project(pytester: pytest.Pytester, recorded: Path) -> pytest.Pytester:
    """A copy of the project, current directory of the inner run."""
    shutil.copytree(recorded, pytester.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return pytester
