"""Tests run pytest inside pytest, on one thread each, and the longest files first."""

from __future__ import annotations

import os

import pytest

# Tiny models gain nothing from threads, which take twice the processor's time or more where cores are shared. Torch
# reads this when it is loaded, also in processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What a worker of this run is must not reach the runs inside.
for _name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
    os.environ.pop(_name, None)

pytest_plugins = ["pytester"]

LONGEST_FILES = (
    "test_examples.py",
    "test_interpreter.py",
    "test_reference_examples.py",
    "test_option_sparsetol_sweep.py",
    "test_option_sparsetol_shard.py",
    "test_own_method.py",
)
"""Slowest first: workers that take whole files should not end with one of them while others idle."""


@pytest.fixture(autouse=True)
def _like_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under CI pytest writes whole lines where it else cuts them; what is shown should not depend on where it ran."""
    for name in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the longest files to the front."""
    order = {name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
