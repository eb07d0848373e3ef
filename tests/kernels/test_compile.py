"""Every kernel compiles for every GPU that it is meant for, without spilled registers and within shared memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kernels import (
    builds_block_selection,
    builds_block_sparse,
    builds_decode,
    builds_line_scores,
    builds_vertical_slash,
)
from tests.kernels.compiling import SHARED, Build, compile_for

BUILDS: list[Build] = [
    *builds_block_selection.BUILDS,
    *builds_block_sparse.BUILDS,
    *builds_decode.BUILDS,
    *builds_line_scores.BUILDS,
    *builds_vertical_slash.BUILDS,
]
"""One line for each module that lists a kernel's builds."""


@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="the interpreter compiles nothing")
@pytest.mark.parametrize(
    ("build", "capability"),
    [
        pytest.param(build, capability, id=f"{build.label}, sm{capability}")
        for build in BUILDS
        for capability in build.capabilities
    ],
)
def test_compiles(build: Build, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))

    resources = compile_for(build, capability, tmp_path)

    assert resources.stack == 0, f"{resources.stack} bytes of registers a thread are spilled"
    assert resources.shared <= SHARED[capability]
