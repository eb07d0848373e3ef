"""Compiles every kernel with several releases of Triton, without a GPU: which compile, what they take, what they spill.

    export PYTHONPATH=$PWD:$PWD/kernels:$PWD/suites
    python -m benchmarks.triton_versions 3.6.0 3.9.0

installs each release into a folder of its own, put first on the path, and writes
`benchmarks/results/triton_versions.json` with the hash of the kernels. CI, which compiles with the pinned release,
fails where that file is of other kernels or holds a failure. It takes two minutes a release on two cores.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sparsetol_kernels.backend import GLUON_TRITONS, triton_version
from sparsetol_kernels.source import source_hash

from tests.kernels.compiling import SHARED, is_gluon
from tests.kernels.test_compile import BUILDS, compile_by_label

RESULTS = Path(__file__).parent / "results" / "triton_versions.json"


def compile_all(folder: Path) -> dict[str, Any]:
    """Every build by the Triton that is loaded here: its resources, or what is wrong with it."""
    found: dict[str, Any] = {}
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        waiting = {
            f"{build.label}, sm{capability}": (
                capability,
                pool.submit(compile_by_label, build.label, capability, folder / f"{number}-{capability}"),
            )
            for number, build in enumerate(BUILDS)
            if triton_version() in GLUON_TRITONS or not is_gluon(build)
            for capability in build.capabilities
        }
        for name, (capability, future) in waiting.items():
            try:
                resources = future.result()
            except Exception as error:  # whatever Triton raises is the finding
                found[name] = {"error": str(error).splitlines()[0]}
                continue
            found[name] = asdict(resources)
            if resources.stack:
                found[name]["error"] = f"{resources.stack} bytes of registers a thread are spilled"
            elif resources.shared > SHARED[capability]:
                found[name]["error"] = f"{resources.shared} bytes of shared memory are too many"
    return found


def with_release(release: str, folder: Path) -> dict[str, Any]:
    """Install a release and compile with it, in a process of its own."""
    packages, out = folder / release, folder / f"{release}.json"
    subprocess.run(  # noqa: S603  # the release comes from the command line of whoever runs this
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", packages, f"triton=={release}"],
        check=True,
    )
    path = os.pathsep.join([str(packages), *filter(None, sys.path)])
    subprocess.run(  # noqa: S603  # this file
        [sys.executable, "-m", "benchmarks.triton_versions", "--loaded", str(out)],
        env=os.environ | {"PYTHONPATH": path},
        check=True,
    )
    row: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    if row["triton"] != release:
        raise SystemExit(f"Triton {row['triton']} was loaded in place of {release}")
    return row


def main() -> int:
    """Compile with each release; 1 where a build fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="*")
    parser.add_argument("--loaded", type=Path, help="compile with the Triton that is loaded here into this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.loaded is not None:
            import triton

            builds = compile_all(folder)
            row = {
                "what": "run", "triton": triton.__version__, "gluon": triton_version() in GLUON_TRITONS,
                "sources": source_hash(), "files": [], "builds": builds,
            }  # fmt: skip
            options.loaded.write_text(json.dumps(row), encoding="utf-8")
            return 0
        rows = []
        for release in options.releases:
            rows.append(with_release(release, folder))
            # After each, so that a run that is stopped leaves what it found.
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            wrong = {build: entry["error"] for build, entry in rows[-1]["builds"].items() if "error" in entry}
            print(release, len(rows[-1]["builds"]), "builds,", wrong or "all compile", flush=True)
    return int(any("error" in entry for row in rows for entry in row["builds"].values()))


if __name__ == "__main__":
    raise SystemExit(main())
