"""Finished cells of a sweep, as they lie on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sparsetol.sweep.finished import FinishedCells


@pytest.mark.parametrize(
    "content", [b"", b'{"result": {"policy"', b"\xff", b"[]", b"{}", b'{"result": {}, "evidence": {}}', b"null"]
)
def test_a_damaged_cell_counts_as_not_finished(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_bytes(content)

    assert FinishedCells(tmp_path).load("key") is None
