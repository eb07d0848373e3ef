"""The `conftest.py` files of a contract, for commands that read contracts outside a run of pytest."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sparsetol.errors import ContractError


class _StopBeforeRunning:
    """Once pytest has read its settings and conftest files, all is done that commands want of it."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self) -> int:
        return 0


def load_conftests(contract: Path) -> None:
    """Load what registers a team's own methods and tasks, as `pytest CONTRACT` would; nothing where there is none.

    Raises `ContractError` where pytest cannot load them; it has then said why on the standard error.
    """
    if any((folder / "conftest.py").is_file() for folder in contract.absolute().parents):
        status = pytest.main(
            [str(contract), "-p", "no:cacheprovider", "--assert=plain"], plugins=[_StopBeforeRunning()]
        )
        if status != 0:
            raise ContractError(f"{contract}: pytest cannot load the conftest.py files of this contract")
