"""Longest cases of the shared matrix are marked slow."""

from __future__ import annotations

import pytest

from pytest_sparsetol.testing import Case

LONG = 4096


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cases beyond 4,096 tokens; pytest hands over the items of all folders."""
    for item in items:
        case = getattr(getattr(item, "callspec", None), "params", {}).get("case")
        if isinstance(case, Case) and case.length > LONG:
            item.add_marker("slow")
