"""What the claims of a certificate hold for."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sparsetol.methods.base import PHASES
from pytest_sparsetol.methods.registry import method_class

if TYPE_CHECKING:
    from pytest_sparsetol.contract import Contract
    from pytest_sparsetol.engine.engine import Engine

_CODE = ("sparsetol_kernels", "pytest_sparsetol.methods", "pytest_sparsetol.engine")
"""Packages whose code computes sparse attention."""


@functools.cache
def sources() -> str:
    """SHA-256 of the code that selects and computes sparse attention; nothing of it is imported."""
    digest = hashlib.sha256()
    for package in _CODE:
        spec = importlib.util.find_spec(package)
        for folder in () if spec is None else spec.submodule_search_locations or ():
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(f"{package}/{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def identity(contract: Contract, engine: Engine) -> dict[str, Any]:
    """Weights, prompt, dtype, tasks and kernels: a change of any of them voids a certificate."""
    return {
        "model": engine.weights,
        "prompt": engine.prompt.fingerprint(),
        "dtype": engine.dtype,
        "tasks": {task.name: task.fingerprint for task in contract.suite.tasks if task.group in contract.spec.mix},
        "kernels": sources(),
        "methods": own_methods(contract),
    }


def own_methods(contract: Contract) -> dict[str, str]:
    """SHA-256 of the files of methods that are not this package's, by name."""
    found = {}
    for deployment in contract.spec.deployments.values():
        for phase in PHASES:
            part = deployment.phase(phase)
            method = None if part is None else method_class(part.method)
            if method is not None and not method.__module__.startswith("pytest_sparsetol."):
                file = inspect.getsourcefile(method)
                found[method.name] = "" if file is None else hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return found
