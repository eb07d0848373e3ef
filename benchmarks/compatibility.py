"""Runs the tests of engine and plugin against versions of transformers, and says which pass.

    python -m benchmarks.compatibility 5.5.0 5.24.0

installs each version with what it needs into a folder of its own, put before the environment's packages, and writes
`benchmarks/results/compatibility.json`: a version's row replaces what an earlier run found for it, and rows of other
versions stay while the environment is the same. It takes about ten minutes a version on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

from packaging.version import Version

RESULTS = Path(__file__).parent / "results/compatibility.json"
TESTS = ("tests/engine", "tests/plugin", "--ignore=tests/plugin/test_examples.py")
"""Examples compare with baselines recorded by one version; others build another tokenizer from the same GGUF file."""


def run(transformers: str, folder: Path) -> dict[str, object]:
    """Install a version, run the tests and count them."""
    packages = folder / transformers
    subprocess.run(  # noqa: S603  # the version comes from the command line of whoever runs this
        [sys.executable, "-m", "pip", "install", "--quiet", "--target", packages, f"transformers=={transformers}"],
        check=True,
    )
    report = folder / f"{transformers}.xml"
    path = os.pathsep.join([str(packages), *filter(None, sys.path)])
    subprocess.run(  # noqa: S603  # our own tests
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *TESTS],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    suite = ET.parse(report).getroot()[0]  # noqa: S314  # written by pytest just now
    failed = [
        f"{case.attrib['classname']}::{case.attrib['name']}"
        for case in suite.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    loaded = subprocess.run(  # likewise
        [sys.executable, "-c", "import transformers; print(transformers.__version__)"],
        env=os.environ | {"PYTHONPATH": path},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    if loaded != transformers:
        raise SystemExit(f"transformers {loaded} was loaded in place of {transformers}")
    return {"transformers": loaded, **counts, "failed": failed, "seconds": round(float(suite.attrib["time"]))}


def earlier(environment: dict[str, str]) -> dict[str, dict[str, object]]:
    """What runs in the same environment found, by version."""
    if not RESULTS.exists() or (found := json.loads(RESULTS.read_text()))["environment"] != environment:
        return {}
    return {row["transformers"]: row for row in found["versions"]}


def main() -> None:
    """Run each version; exit with 1 where any test failed."""
    parser = argparse.ArgumentParser(description="Run the tests against versions of transformers.")
    parser.add_argument("versions", nargs="+")
    arguments = parser.parse_args()
    environment = {"python": platform.python_version(), "torch": version("torch"), "pytest": version("pytest")}
    rows = earlier(environment)
    with tempfile.TemporaryDirectory() as folder:
        for wanted in arguments.versions:
            rows[wanted] = run(wanted, Path(folder))
            ordered = sorted(rows.values(), key=lambda row: Version(str(row["transformers"])))
            # After each, so that a run that is stopped leaves what it found.
            RESULTS.write_text(json.dumps({"environment": environment, "versions": ordered}, indent=2) + "\n")
            print(rows[wanted], flush=True)
    raise SystemExit(any(rows[wanted]["failures"] or rows[wanted]["errors"] for wanted in arguments.versions))


if __name__ == "__main__":
    main()
