"""Items of a suite's version never change.

Stored baselines belong to a suite's version. A change of a generator, of words or of parameters must raise `version` in
the suite's file; then

    python -m tests.suites.test_golden

records what has no hash yet and overwrites nothing. `--rewrite frontier@1` is for a version that was never released.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import astuple
from pathlib import Path

import pytest
from sparsetol_suites.lengths import show_length
from sparsetol_suites.suite import Suite, SuiteTask, load_suite, shipped

from tests.suites.counter import WordCounter

GOLDEN = Path(__file__).with_name("golden.json")
LENGTHS = tuple(1 << power for power in range(9, 18))
ITEMS = 2

Hashes = dict[str, dict[str, dict[str, str]]]
"""By suite and version, task, length."""


def stored() -> Hashes:
    hashes: Hashes = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    return hashes


def key(suite: Suite) -> str:
    return f"{suite.name}@{suite.version}"


def lengths(task: SuiteTask) -> list[int]:
    return [length for length in LENGTHS if task.shortest <= length <= task.longest]


def item_hash(task: SuiteTask, length: int) -> str:
    items = [task.generate(length, WordCounter(), 0, index) for index in range(ITEMS)]
    told = [[item.prompt, item.answers, [astuple(fact) for fact in item.facts]] for item in items]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def check(suite: Suite, task: SuiteTask, golden: Hashes) -> None:
    for length in lengths(task):
        wanted = golden.get(key(suite), {}).get(task.name, {}).get(show_length(length))
        where = f"{key(suite)}, task {task.name!r} at {show_length(length)}"
        if wanted is None:
            pytest.fail(f"no hash of {where}; record it with: python -m tests.suites.test_golden")
        if item_hash(task, length) != wanted:
            pytest.fail(
                f"items changed: {where}. Baselines recorded with this version no longer fit: raise `version` in "
                f"{suite.path.name} to {suite.version + 1}, then run: python -m tests.suites.test_golden"
            )


@pytest.mark.parametrize(
    ("name", "task"),
    [(name, task) for name in shipped() for task in load_suite(name, Path()).tasks],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_items_of_a_version_never_change(name: str, task: SuiteTask) -> None:
    check(load_suite(name, Path()), task, stored())


def test_a_change_says_to_raise_the_version() -> None:
    suite = load_suite("frontier-small", Path())
    task = suite.tasks[0]
    golden = stored()
    golden[key(suite)][task.name]["1k"] = "0" * 16
    with pytest.raises(pytest.fail.Exception, match=rf"raise `version` in frontier-small.yaml to {suite.version + 1}"):
        check(suite, task, golden)
    del golden[key(suite)]
    with pytest.raises(pytest.fail.Exception, match="no hash of frontier-small@"):
        check(suite, task, golden)


def record(golden: Hashes, rewrite: str | None) -> None:
    """Add what is missing, and compute the version `rewrite` anew."""
    golden.pop(rewrite or "", None)
    for name in shipped():
        suite = load_suite(name, Path())
        for task in suite.tasks:
            hashes = golden.setdefault(key(suite), {}).setdefault(task.name, {})
            for length in lengths(task):
                if show_length(length) not in hashes:
                    hashes[show_length(length)] = item_hash(task, length)
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rewrite", metavar="SUITE@VERSION", help="a version that was never released")
    record(stored(), parser.parse_args().rewrite)
