"""The benchmark of a whole model, with a small one: every method runs, and what fails is a row and an exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import end_to_end


def test_every_method_has_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rows.json"

    assert end_to_end.main(["--tiny", "--lengths", "512", "--sparsity", "0.7", "--out", str(out)]) == 0

    run, *rows = json.loads(out.read_text())
    assert run["what"] == "run"
    assert [row["what"] for row in rows] == [end_to_end.PLAIN, *end_to_end.policies(0.7)]
    for row in rows:
        assert row["prefill_seconds"] > 0
        assert row["decode_ms"] > 0
        for measured in row.get("sparsity", {}).values():
            assert measured == pytest.approx(0.7, abs=0.01)
    sparse = {row["what"]: sorted(row["sparsity"]) for row in rows if row.get("sparsity")}
    assert sparse["block_sparse + quest"] == ["decode", "prefill"]
    assert sparse["ada_snapkv"] == ["kv"]
    assert "x plain" in capsys.readouterr().out


def test_a_case_that_fails_or_comes_late_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "rows.json"

    monkeypatch.setattr(end_to_end, "policies", lambda sparsity: {"dense": object()})
    failed = end_to_end.main(["--tiny", "--lengths", "64", "--methods", "dense", "--out", str(out)])
    late = end_to_end.main(["--tiny", "--lengths", "64", "--seconds", "-1", "--methods", "dense"])

    assert failed == 1
    assert "AttributeError" in json.loads(out.read_text())[1]["error"]
    assert late == 0
