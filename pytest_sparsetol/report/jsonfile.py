"""The machine-readable report of `--sparsetol-json`; its shape is versioned and kept stable."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pytest_sparsetol.baseline import write_atomically
from pytest_sparsetol.result import CellResult, MixResult

SCHEMA = 1


def write_json(path: Path, results: Iterable[CellResult], mixes: Iterable[MixResult]) -> None:
    """Write all results in one step, cells and mixes in the order of their node ids."""
    report = {
        "schema": SCHEMA,
        "cells": [dataclasses.asdict(result) for result in sorted(results, key=lambda result: result.node_id)],
        "mix": [dataclasses.asdict(mix) for mix in sorted(mixes, key=lambda mix: mix.node_id)],
        "environment": environment(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(report, indent=2, allow_nan=False) + "\n")


def environment() -> dict[str, Any]:
    """Versions of what decides results."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: _version(name) for name in ("pytest-sparsetol", "pytest", "torch", "transformers", "triton")},
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
