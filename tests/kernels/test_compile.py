"""Every kernel compiles for every GPU that it is meant for, without spilled registers and within shared memory."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import pytest
from sparsetol_kernels.backend import GLUON_TRITONS, triton_version

from tests.kernels import (
    builds_block_selection,
    builds_block_sparse,
    builds_covering_ranks,
    builds_decode,
    builds_line_budget,
    builds_line_ranks,
    builds_line_scores,
    builds_vertical_slash,
)
from tests.kernels.compiling import SHARED, Build, Resources, compile_for, is_gluon

BUILDS: list[Build] = [
    *builds_block_selection.BUILDS,
    *builds_block_sparse.BUILDS,
    *builds_covering_ranks.BUILDS,
    *builds_decode.BUILDS,
    *builds_line_budget.BUILDS,
    *builds_line_ranks.BUILDS,
    *builds_line_scores.BUILDS,
    *builds_vertical_slash.BUILDS,
]
"""One line for each module that lists a kernel's builds."""


def compile_by_label(label: str, capability: int, folder: Path) -> Resources:
    """`compile_for`, in a process that shares nothing but the names of builds."""
    os.environ["TRITON_CACHE_DIR"] = str(folder / "cache")
    folder.mkdir(exist_ok=True)
    (build,) = (build for build in BUILDS if build.label == label and capability in build.capabilities)
    try:
        return compile_for(build, capability, folder)
    except Exception as error:
        # Triton's own errors do not travel between processes.
        raise AssertionError(f"{type(error).__name__}: {error}") from None


@pytest.fixture(scope="session")
def compiled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, int], Future[Resources]]]:
    """All builds of this run, two at a time."""
    wanted = [item.callspec.params for item in request.session.items if "compiled" in getattr(item, "fixturenames", ())]  # type: ignore[attr-defined]  # functions have it
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield {
            (each["build"].label, each["capability"]): pool.submit(
                compile_by_label, each["build"].label, each["capability"], tmp_path_factory.mktemp("build")
            )
            for each in wanted
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="the interpreter compiles nothing")
@pytest.mark.parametrize(
    ("build", "capability"),
    [
        pytest.param(build, capability, id=f"{build.label}, sm{capability}")
        for build in BUILDS
        for capability in build.capabilities
    ],
)
def test_compiles(build: Build, capability: int, compiled: dict[tuple[str, int], Future[Resources]]) -> None:
    if is_gluon(build) and triton_version() not in GLUON_TRITONS:
        pytest.skip("plain Triton serves with this release")
    resources = compiled[build.label, capability].result()

    assert resources.stack == 0, f"{resources.stack} bytes of registers a thread are spilled"
    assert resources.shared <= SHARED[capability]
