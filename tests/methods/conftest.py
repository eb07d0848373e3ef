"""Longest cases of the shared matrix are marked slow."""

from __future__ import annotations

import pytest

LONG = 4096


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cases beyond 4,096 tokens."""
    for item in items:
        case = getattr(getattr(item, "callspec", None), "params", {}).get("case")
        if case is not None and case.length > LONG:
            item.add_marker("slow")
