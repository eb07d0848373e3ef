"""Results as JUnit properties: flat names, scalar values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_sparsetol.result import CellResult, MixResult


def properties(result: CellResult | MixResult) -> Iterator[tuple[str, Any]]:
    """`sparsetol.verdict`, `sparsetol.measured_sparsity.decode` and so on; what was not measured is left out."""
    for name, value in dataclasses.asdict(result).items():
        if name == "node_id":
            continue
        yield from _flat(f"sparsetol.{name}", value)


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flat(f"{name}.{key}", entry)
    elif value is not None and not isinstance(value, list):
        yield name, value
