"""Compiles one kernel for one GPU, without a GPU, and says what registers and shared memory it takes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Build:
    """One kernel as it is launched.

    Attributes:
        label: what the test is called.
        kernel: the function that `triton.jit` or `gluon.jit` made.
        types: Triton's type of each argument, such as "*bf16" or "fp32"; others are "i32". Pointers and integers whose
            name is not in `odd` are taken to be multiples of 16.
        constants: the compile-time arguments, and those that are None.
        options: `num_warps`, `num_stages`, `maxnreg`.
        capabilities: what it is compiled for.
        odd: integers that are no multiples of 16.

    """

    label: str
    kernel: Any
    types: Mapping[str, str]
    constants: Mapping[str, Any]
    options: Mapping[str, int]
    capabilities: tuple[int, ...] = (80, 90)
    odd: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Resources:
    """What one kernel takes: registers a thread, bytes of stack a thread (spills), bytes of shared memory a program."""

    registers: int
    stack: int
    shared: int


SHARED = {80: 99 * 1024, 90: 227 * 1024}
"""Shared memory that a program may take: for 80 what 8.6 and 8.9 have, as they run the same build."""


def is_gluon(build: Build) -> bool:
    """Whether the kernel is written in Gluon."""
    return bool(getattr(build.kernel, "is_gluon", lambda: False)())


def compile_for(build: Build, capability: int, folder: Path) -> Resources:
    """Compile down to machine code; raises what Triton raises where it cannot."""
    import triton
    from triton import knobs
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = build.kernel.arg_names
    unknown = (set(build.types) | set(build.constants) | build.odd) - set(names)
    assert not unknown, f"{build.label}: the kernel has no arguments {sorted(unknown)}"
    signature = {name: "constexpr" if name in build.constants else build.types.get(name, "i32") for name in names}
    constants = {(names.index(name),): value for name, value in build.constants.items()}
    aligned = [
        name
        for name in names
        if name not in build.odd and (signature[name].startswith("*") or signature[name] in {"i32", "i64"})
    ]
    source_type = ASTSource
    if is_gluon(build):
        from triton.experimental.gluon._runtime import GluonASTSource

        source_type = GluonASTSource
    source = source_type(
        build.kernel, signature, constants, {(names.index(name),): [["tt.divisibility", 16]] for name in aligned}
    )
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=dict(build.options))
    cubin = folder / "kernel.cubin"
    cubin.write_bytes(compiled.asm["cubin"])
    said = subprocess.run(
        [knobs.nvidia.cuobjdump.path, "-res-usage", str(cubin)], capture_output=True, text=True, check=True
    ).stdout
    usage = re.search(r"REG:(\d+) STACK:(\d+)", said)
    assert usage is not None, said
    return Resources(int(usage[1]), int(usage[2]), compiled.metadata.shared)
