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
        entries = value.items() if isinstance(value, Mapping) else [(None, value)]
        for key, entry in entries:
            if entry is not None:
                yield ".".join(["sparsetol", name, *([key] if key else [])]), entry
