"""Results of a GPU that are kept are of the kernels that are here, and the tests that were run there passed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sparsetol_kernels.source import source_hash

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def runs(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """The rows that say which kernels were measured, by file."""
    found = []
    for path in sorted(folder.glob("*.json")):
        rows = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(rows, list):
            found += [(path.name, row) for row in rows if "sources" in row]
    return found


def stale(folder: Path) -> list[str]:
    """Files whose kernels have changed since they were measured."""
    return [name for name, row in runs(folder) if source_hash(*row["files"]) != row["sources"]]


def faults(path: Path) -> list[str]:
    """What keeps the CUDA tests of one file from counting as passed."""
    run, reasons, outcomes = json.loads(path.read_text(encoding="utf-8"))
    failed = [name for name, outcome in outcomes["of"].items() if outcome == "failed"]
    found = [f"{name}: {reasons['of'].get(name)}" for name in failed]
    if not run["complete"]:
        found.append("the run was stopped before its end")
    if "passed" not in outcomes["of"].values():
        found.append("no test passed")
    return found


def test_results_are_of_these_kernels() -> None:
    if not runs(RESULTS):
        pytest.skip("no results of a GPU are kept yet")

    assert stale(RESULTS) == [], "measure again (see the benchmark's first lines), or take the results out"


def test_the_cuda_tests_passed() -> None:
    files = sorted(RESULTS.glob("cuda_tests-*.json"))
    if not files:
        pytest.skip("no outcomes of the CUDA tests are kept yet")

    assert {path.name: faults(path) for path in files} == {path.name: [] for path in files}


def test_kernels_compile_with_other_releases_of_triton() -> None:
    """By `benchmarks/triton_versions.py`; `test_compile.py` compiles them with the release that is installed."""
    path = RESULTS / "triton_versions.json"
    if not path.exists():
        pytest.skip("no builds with other releases of Triton are kept yet")

    assert {
        f"{row['triton']}: {build}": entry["error"]
        for row in json.loads(path.read_text(encoding="utf-8"))
        for build, entry in row["builds"].items()
        if "error" in entry
    } == {}


def test_results_of_other_kernels_are_found(tmp_path: Path) -> None:
    files = ["on_triton/block_sparse.py"]
    for name, sources in (("fresh", source_hash(*files)), ("old", "0" * 16)):
        (tmp_path / f"{name}.json").write_text(json.dumps([{"what": "run", "sources": sources, "files": files}]))

    assert stale(tmp_path) == ["old.json"]


@pytest.mark.parametrize(
    ("outcomes", "complete", "expected"),
    [
        ({"a": "passed", "b": "skipped"}, True, []),
        ({"a": "passed", "b": "failed"}, True, ["b: wrong by 3"]),
        ({"a": "passed"}, False, ["the run was stopped before its end"]),
        ({"b": "skipped"}, True, ["no test passed"]),
    ],
)
def test_cuda_tests_that_failed_or_did_not_run_are_found(
    outcomes: dict[str, str], complete: bool, expected: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "cuda_tests.json"
    rows = [
        {"what": "run", "complete": complete},
        {"what": "reasons", "of": {"b": "wrong by 3"}},
        {"what": "outcomes", "of": outcomes},
    ]
    path.write_text(json.dumps(rows))

    assert faults(path) == expected
