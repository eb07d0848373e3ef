"""Keys of what this plugin keeps in pytest's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_sparsetol.session import GateSession

SESSION_KEY: pytest.StashKey[GateSession] = pytest.StashKey()
LEFT_ALONE_KEY: pytest.StashKey[list[Path]] = pytest.StashKey()
