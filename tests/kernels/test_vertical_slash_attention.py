"""Attention over columns and diagonals, of every backend, against a masked softmax in float64."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.errors import InputError
from sparsetol_kernels.vertical_slash_attention import vertical_slash_attention
from torch import Tensor

from tests.kernels.test_block_sparse_attention import TOLERANCE, needs_hopper, reference


@dataclass(frozen=True)
class Case:
    heads: int = 2
    groups: int = 1
    length: int = 150
    size: int = 16
    block: int = 64
    dtype: torch.dtype = torch.float32
    batch: int = 1
    slashes: float = 0.02
    columns: float = 0.1
    local: bool = True
    softcap: float | None = None
    sinks: bool = False


CASES = {
    "one token": Case(length=1),
    "one block exactly": Case(length=64),
    "odd length": Case(length=139),
    "row blocks of 16": Case(block=16, length=83),
    "row blocks of 128": Case(block=128, length=150, heads=1),
    "columns alone": Case(slashes=0.0, local=False, columns=0.3),
    "diagonals alone": Case(columns=0.0, slashes=0.05),
    "nothing": Case(slashes=0.0, local=False, columns=0.0),
    "everything": Case(slashes=1.0, columns=1.0),
    "few lines, none of them local": Case(local=False, slashes=0.01, columns=0.02, batch=2, length=90),
    "as many key heads": Case(groups=2),
    "head size 96": Case(size=96),
    "soft-cap and sinks": Case(softcap=3.0, sinks=True, local=False),
    "float16": Case(dtype=torch.float16),
    "float16, head size 96": Case(dtype=torch.float16, size=96, length=131, groups=2),
    "float16, rows of 40 bytes": Case(dtype=torch.float16, size=20),
    "float16, one token": Case(dtype=torch.float16, length=1),
    "float16, diagonals alone": Case(dtype=torch.float16, columns=0.0, slashes=0.05, local=False, batch=2),
}

HOPPER_CASES = {
    f"{name}, {dtype}".replace("torch.", ""): Case(
        8, 2, length, size, block, dtype, 2, slashes=0.004, columns=0.05, local=local, sinks=not local
    )
    for name, length, size, block, local in [
        ("odd length", 2003, 128, 64, True),
        ("head size 64", 1500, 64, 64, True),
        ("head size 256", 777, 256, 64, False),
        ("row blocks of 128", 1999, 128, 128, True),
        ("row blocks of 16", 1000, 128, 16, False),
    ]
    for dtype in TOLERANCE
}


def error_of(case: Case, device: torch.device, backend: Backend) -> float:
    generator = torch.Generator().manual_seed(1)

    def strided(heads: int) -> Tensor:
        # Heads beside each other in a row, NaN before and after: nothing outside the sequence may be read.
        whole = torch.full((case.batch, case.length + 2, heads, case.size), float("nan"), dtype=case.dtype)
        whole[:, 1:-1] = torch.randn(case.batch, case.length, heads, case.size, generator=generator)
        return whole.to(device)[:, 1:-1].transpose(1, 2)

    query, key, value = strided(case.heads), strided(case.groups), strided(case.groups)
    shape = (case.batch, case.heads, case.length)
    columns = torch.rand(shape, generator=generator) < case.columns
    slashes = torch.rand(shape, generator=generator) < case.slashes
    slashes[..., 0] |= case.local
    sinks = torch.randn(case.heads, generator=generator) if case.sinks else None
    scale = 1.5 * case.size**-0.5

    out, sums = vertical_slash_attention(
        query, key, value, columns.to(device), slashes.to(device), block=case.block, scale=scale,
        softcap=case.softcap, sinks=None if sinks is None else sinks.to(device), return_log_sum_exp=True,
        backend=backend,
    )  # fmt: skip

    assert sums is not None
    row = torch.arange(case.length)
    start = row // case.block * case.block
    wrong, norm = 0.0, 0.0
    for sequence in range(case.batch):
        seen = columns[sequence, :, None].expand(-1, case.length, -1).clone()
        for head in range(case.heads):
            for offset in slashes[sequence, head].nonzero().flatten().tolist():
                first = start[:, None] - offset
                seen[head] |= (row >= first) & (row < first + case.block)
        expected, expected_sums = reference(
            query[sequence].cpu(), key[sequence].cpu(), value[sequence].cpu(), seen & (row <= row[:, None]),
            scale, case.softcap, sinks,
        )  # fmt: skip
        wrong += float((out[sequence].cpu().double() - expected).norm() ** 2)
        norm += float(expected.norm() ** 2)
        torch.testing.assert_close(sums[sequence].cpu().double(), expected_sums, atol=2e-2, rtol=0)
    return float((wrong / max(norm, 1e-30)) ** 0.5)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_by_definition(case: Case) -> None:
    assert error_of(case, torch.device("cpu"), Backend.PYTORCH) < TOLERANCE[case.dtype]


@pytest.mark.usefixtures("loads")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_triton(case: Case, kernel_device: torch.device) -> None:
    assert error_of(case, kernel_device, Backend.TRITON) < TOLERANCE[case.dtype]


@pytest.mark.parametrize("tile", [16, 32, 64])
@pytest.mark.parametrize("slashes", [0.01, 0.08, 1.0])
def test_triton_indexes_lines_of_several_tiles(
    tile: int, slashes: float, kernel_device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparsetol_kernels.on_triton import vertical_slash

    monkeypatch.setattr(vertical_slash, "TILE", tile)
    case = Case(length=139, block=16, slashes=slashes, local=False, columns=0.3)

    assert error_of(case, kernel_device, Backend.TRITON) < TOLERANCE[torch.float32]


@pytest.mark.usefixtures("loads")
@needs_hopper
@pytest.mark.gpu
@pytest.mark.parametrize("case", HOPPER_CASES.values(), ids=HOPPER_CASES.keys())
def test_on_hopper(case: Case) -> None:
    assert error_of(case, torch.device("cuda"), Backend.TRITON) < TOLERANCE[case.dtype]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"columns": torch.zeros(1, 1, 10, dtype=torch.bool)}, r"columns has shape \[1, 1, 10\]; wanted \[batch 1"),
        ({"slashes": torch.zeros(1, 2, 10)}, "slashes is torch.float32 on cpu; wanted bool on cpu"),
        ({"value": torch.zeros(1, 1, 9, 16)}, "value has shape"),
        ({"scale": float("nan")}, "scale nan must be above 0"),
    ],
)
def test_bad_input_is_refused(changed: dict[str, object], message: str) -> None:
    lines = torch.zeros(1, 2, 10, dtype=torch.bool)
    call = {
        "query": torch.zeros(1, 2, 10, 16), "key": torch.zeros(1, 1, 10, 16), "value": torch.zeros(1, 1, 10, 16),
        "columns": lines, "slashes": lines,
    } | changed  # fmt: skip

    with pytest.raises(InputError, match=f"vertical_slash_attention: .*{message}"):
        vertical_slash_attention(**call)  # type: ignore[arg-type]  # wrong on purpose
