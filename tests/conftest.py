"""Tests run pytest inside pytest."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _like_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under CI pytest writes whole lines where it else cuts them; what is shown should not depend on where it ran."""
    for name in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
