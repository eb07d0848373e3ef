"""The oldest and the newest transformers were tested, as the package and the docs claim."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from packaging.version import Version

from benchmarks.compatibility import RESULTS

REPOSITORY = Path(__file__).parents[1]
VERSIONS = json.loads(RESULTS.read_text())["versions"]


def test_the_oldest_that_the_package_allows_is_the_oldest_tested() -> None:
    dependencies = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    allowed = next(entry for entry in dependencies if entry.startswith("transformers"))

    oldest = re.fullmatch(r"transformers>=([\d.]+),<\d+", allowed)

    assert oldest is not None
    assert Version(VERSIONS[0]["transformers"]) == Version(oldest[1])


def test_the_newest_tested_is_not_behind_what_other_tests_run_on() -> None:
    pinned = re.search(r"^transformers==(.+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)

    assert pinned is not None
    assert Version(VERSIONS[-1]["transformers"]) >= Version(pinned[1])


def test_all_passed() -> None:
    for row in VERSIONS:
        assert (row["failures"], row["errors"], row["failed"]) == (0, 0, [])
        assert row["tests"] - row["skipped"] > 300


def test_the_page_shows_them() -> None:
    page = (REPOSITORY / "docs/models.md").read_text()

    for row in VERSIONS:
        passed = row["tests"] - row["skipped"]
        assert f"| {row['transformers']} | {passed} | 0 | {row['skipped']} |" in page
