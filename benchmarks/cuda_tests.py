"""Runs the tests that need a CUDA device, several at a time, and keeps what came out with the hash of the kernels.

    export PYTHONPATH=$PWD:$PWD/kernels:$PWD/suites
    python -m benchmarks.cuda_tests --out benchmarks/results/cuda_tests-h100.json

CI has no GPU: there `tests/kernels/test_results.py` fails where the file is of other kernels, or holds a failure.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from sparsetol_kernels.source import source_hash

ROOT = Path(__file__).parents[1]
TESTS = ("tests/kernels", "tests/engine")


@dataclass
class Outcomes:
    """A pytest plugin that takes in what each test came to.

    Attributes:
        deadline: `time.monotonic()` at which the run stops.
        tests: outcome by test: "passed", "skipped" or "failed".
        reasons: of those that failed or were skipped.
        session: the run.

    """

    deadline: float
    tests: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    session: pytest.Session | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """The run begins."""
        self.session = session

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test is over: the worst of them counts."""
        known = self.tests.get(report.nodeid, "passed")
        if report.failed or known == "failed":
            self.tests[report.nodeid] = "failed"
        elif report.skipped or known == "skipped":
            self.tests[report.nodeid] = "skipped"
        elif report.when == "call":
            self.tests[report.nodeid] = "passed"
        if report.failed or report.skipped:
            self.reasons[report.nodeid] = _reason(report)
        if time.monotonic() > self.deadline and self.session is not None:
            self.session.shouldstop = "no time left"


def _reason(report: pytest.TestReport) -> str:
    said = report.longrepr
    if isinstance(said, tuple):
        return str(said[2])
    crash = getattr(said, "reprcrash", None)
    return str(getattr(crash, "message", said))[:300]


def rows(outcomes: Outcomes, seconds: float, complete: bool) -> list[dict[str, Any]]:
    """The file's content: the run, then its tests."""
    properties = torch.cuda.get_device_properties(0)
    run = {
        "what": "run", "device": properties.name, "multiprocessors": properties.multi_processor_count,
        "cuda": torch.version.cuda, "sources": source_hash(), "files": [], "complete": complete,
        "counts": dict(sorted(Counter(outcomes.tests.values()).items())), "seconds": round(seconds),
    } | {name: version(name) for name in ("torch", "triton", "transformers", "pytest")}  # fmt: skip
    return [
        run,
        {"what": "reasons"} | {"of": dict(sorted(outcomes.reasons.items()))},
        {"what": "outcomes"} | {"of": dict(sorted(outcomes.tests.items()))},
    ]


def main() -> int:
    """Run them; 1 where a test failed, none ran or the time was up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=8, help="tests at a time (default: 8)")
    parser.add_argument("--seconds", type=float, default=480.0, help="no test is begun later (default: 480)")
    parser.add_argument("tests", nargs="*", default=list(TESTS), help="files or folders (default: all)")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("needs a CUDA device")
    begun = time.monotonic()
    outcomes = Outcomes(begun + options.seconds)
    status = pytest.main(
        [
            "-q", "-m", "gpu", "-n", str(options.workers), "-p", "no:cacheprovider",
            # Where it is installed, it warns of workers, and our settings make warnings errors.
            "-p", "no:benchmark",
            f"--rootdir={ROOT}",
            *(str(ROOT / test) for test in options.tests),
        ],
        plugins=[outcomes],
    )  # fmt: skip
    if "passed" not in outcomes.tests.values():
        print("no test passed: nothing is written")
        return 1
    # Beyond these, collection failed, or the run was stopped.
    complete = status in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} and time.monotonic() < outcomes.deadline
    content = rows(outcomes, time.monotonic() - begun, complete)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content[0]))
    return 0 if complete and status == pytest.ExitCode.OK else 1


if __name__ == "__main__":
    raise SystemExit(main())
