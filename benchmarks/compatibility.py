"""Runs the tests of engine and plugin against versions of transformers, and says which pass.

    python -m benchmarks.compatibility 5.5.0 5.24.0

installs each version with what it needs into a folder of its own, put before the environment's packages, and writes
`benchmarks/results/compatibility.json`. It takes two to five minutes a version on two cores.
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
    return {"transformers": loaded, **counts, "seconds": round(float(suite.attrib["time"]))}


def main() -> None:
    """Run each version; exit with 1 where any test failed."""
    parser = argparse.ArgumentParser(description="Run the tests against versions of transformers.")
    parser.add_argument("versions", nargs="+")
    arguments = parser.parse_args()
    environment = {"python": platform.python_version(), "torch": version("torch"), "pytest": version("pytest")}
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for wanted in arguments.versions:
            rows.append(run(wanted, Path(folder)))
            # After each, so that a run that is stopped leaves what it found.
            RESULTS.write_text(json.dumps({"environment": environment, "versions": rows}, indent=2) + "\n")
            print(rows[-1], flush=True)
    raise SystemExit(any(row["failures"] or row["errors"] for row in rows))


if __name__ == "__main__":
    main()
