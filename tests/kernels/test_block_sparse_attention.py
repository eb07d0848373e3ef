"""Block-sparse attention of every backend against a masked softmax in float64."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.block_sparse_attention import block_sparse_attention, block_sparse_backend
from sparsetol_kernels.errors import BackendError, InputError
from torch import Tensor

from tests.kernels.block_lists import as_mask, random_blocks

needs_hopper = pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.get_device_capability()[0] != 9, reason="needs a Hopper GPU"
)

TOLERANCE = {torch.bfloat16: 1e-2, torch.float16: 1e-3, torch.float32: 1e-5}
"""Largest ||out - reference|| / ||reference||."""


@dataclass(frozen=True)
class Case:
    heads: int = 4
    groups: int = 2
    length: int = 150
    size: int = 16
    value_size: int | None = None
    block: int = 16
    dtype: torch.dtype = torch.float32
    starts: tuple[int, ...] = (0,)
    per_key_head: bool = False
    softcap: float | None = None
    sinks: bool = False
    empty: bool = False
    rows_strided: bool = True
    share: float = 0.4
    steepness: float = 1.5
    """Spread of the scores, nats."""


CASES = {
    "one token": Case(length=1),
    "one block exactly": Case(length=16),
    "odd length": Case(length=83, block=32),
    "blocks of 64": Case(length=200, block=64),
    "blocks of 128": Case(length=300, block=128, heads=2, groups=1),
    "empty lists": Case(empty=True),
    "empty lists, large blocks": Case(empty=True, block=64, length=333, heads=2, groups=1),
    "left padding": Case(starts=(0, 37, 149), length=150),
    "one list for each key head": Case(per_key_head=True, heads=6, groups=2),
    "one list for each key head, group of 4": Case(per_key_head=True, heads=4, groups=1, empty=True),
    "as many key heads": Case(heads=2, groups=2),
    "head size 96": Case(size=96, length=70),
    "head size 64, values of 32": Case(size=64, value_size=32, length=70),
    "head size 128": Case(size=128, length=70, block=64, heads=2, groups=1),
    "head size 256": Case(size=256, length=70, block=32, heads=2, groups=1),
    "soft-cap": Case(softcap=3.0),
    "sinks": Case(sinks=True, empty=True),
    "soft-cap, sinks, padding": Case(softcap=3.0, sinks=True, starts=(5, 0)),
    "contiguous": Case(rows_strided=False),
    "steep scores": Case(steepness=12.0),
    "bfloat16": Case(dtype=torch.bfloat16, length=100),
    "float16": Case(dtype=torch.float16, length=100, block=64),
}


def reference(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scale: float, softcap: float | None, sinks: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Masked softmax attention of one sequence in float64, and the log of each denominator."""
    group = query.shape[0] // key.shape[0]
    scores = query.double() @ key.double().repeat_interleave(group, dim=0).transpose(1, 2) * scale
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    scores = scores.masked_fill(~seen, float("-inf"))
    if sinks is not None:
        scores = torch.cat([scores, sinks.double()[:, None, None].expand(-1, scores.shape[1], 1)], dim=2)
    weights = scores.softmax(dim=-1).nan_to_num(0.0)[:, :, : key.shape[1]]
    return weights @ value.double().repeat_interleave(group, dim=0), scores.logsumexp(dim=-1)


def poisoned(batch: int, heads: int, length: int, size: int, case: Case, seed: int) -> Tensor:
    """Random `[batch, heads, length, size]` with NaN where nothing may be read."""
    generator = torch.Generator().manual_seed(seed)
    if case.rows_strided:
        # As the engine's: heads beside each other in a row, inside a larger allocation.
        whole = torch.full((batch, length + 2, heads + 1, size), float("nan"), dtype=case.dtype)
        tensor = whole[:, 1:-1, :heads].transpose(1, 2)
    else:
        tensor = torch.empty(batch, heads, length, size, dtype=case.dtype)
    tensor.copy_(torch.randn(batch, heads, length, size, generator=generator))
    for sequence, start in enumerate(case.starts):
        tensor[sequence, :, :start] = float("nan")
    return tensor


def errors_of(case: Case, device: torch.device, backend: Backend) -> tuple[float, float]:
    """Relative error of the outputs, and largest error of the log-sum-exp, against float64."""
    batch = len(case.starts)
    query = poisoned(batch, case.heads, case.length, case.size, case, 1)
    key = poisoned(batch, case.groups, case.length, case.size, case, 2)
    value = poisoned(batch, case.groups, case.length, case.value_size or case.size, case, 3)
    lists = case.groups if case.per_key_head else case.heads
    index, count = random_blocks(lists, case.length, case.block, case.share, batch=batch, empty=case.empty)
    sinks = torch.randn(case.heads, generator=torch.Generator().manual_seed(4)) if case.sinks else None
    padded = any(case.starts)
    scale = case.steepness * case.size**-0.5

    def moved(tensor: Tensor) -> Tensor:
        # Keeps the strides and what lies between, which `.to` would not.
        if device.type == "cpu":
            return tensor
        storage = torch.as_strided(tensor, (tensor.untyped_storage().nbytes() // tensor.element_size(),), (1,), 0)
        return storage.to(device).as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())

    out, sums = block_sparse_attention(
        moved(query), moved(key), moved(value), index.to(device), count.to(device),
        block=case.block, scale=scale, softcap=case.softcap, sinks=None if sinks is None else sinks.to(device),
        starts=torch.tensor(case.starts, dtype=torch.int32, device=device) if padded else None,
        return_log_sum_exp=True, backend=backend,
    )  # fmt: skip
    out, sums = out.cpu().double(), (torch.empty(0) if sums is None else sums.cpu().double())
    assert out.shape == (batch, case.heads, case.length, case.value_size or case.size)
    wrong, norm, worst = 0.0, 0.0, 0.0
    for sequence, start in enumerate(case.starts):
        seen = as_mask(index[sequence], count[sequence], case.length, case.block, start)
        expected, expected_sums = reference(
            query[sequence, :, start:], key[sequence, :, start:], value[sequence, :, start:],
            seen.repeat_interleave(case.heads // lists, dim=0), scale, case.softcap, sinks,
        )  # fmt: skip
        wrong += float((out[sequence, :, start:] - expected).norm() ** 2)
        norm += float(expected.norm() ** 2)
        assert not out[sequence, :, :start].any()
        assert torch.equal(sums[sequence, :, start:].isinf(), expected_sums.isinf())
        difference = (sums[sequence, :, start:] - expected_sums)[~expected_sums.isinf()]
        worst = max([worst, *difference.abs().flatten().tolist()])
    return (wrong / max(norm, 1e-30)) ** 0.5, worst


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_by_definition(case: Case) -> None:
    error, worst = errors_of(case, torch.device("cpu"), Backend.PYTORCH)

    assert error < TOLERANCE[case.dtype]
    assert worst < 1e-4


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_triton(case: Case, kernel_device: torch.device) -> None:
    if case.dtype == torch.bfloat16 and kernel_device.type == "cpu":
        pytest.skip("the interpreter multiplies bfloat16 by its bits")
    error, worst = errors_of(case, kernel_device, Backend.TRITON)

    assert error < TOLERANCE[case.dtype]
    assert worst < 1e-2


HOPPER_CASES = {
    "one token": Case(length=1, block=128, size=128),
    "odd length": Case(length=1003, block=128, size=128),
    "head size 64": Case(length=777, block=128, size=64),
    "float16": Case(length=777, block=128, size=128, dtype=torch.float16),
    "empty lists": Case(length=1500, block=128, size=128, empty=True),
    "left padding": Case(length=1000, block=128, size=128, starts=(0, 37, 999, 872), empty=True),
    "one list for each key head": Case(length=900, block=128, size=128, heads=12, groups=2, per_key_head=True),
    "many tiles": Case(length=4000, block=128, size=128, heads=16, groups=4, starts=(0, 1111)),
    "contiguous": Case(length=1000, block=128, size=128, rows_strided=False),
    # A row's peak is raised by some blocks of its list and not by others; in the last case, weights would overflow.
    "scores that grow at times": Case(length=1500, block=128, size=128, steepness=4.0),
    "steep scores": Case(length=1500, block=128, size=128, steepness=12.0),
    "steep scores, float16": Case(length=1500, block=128, size=128, dtype=torch.float16, steepness=12.0),
    "steep scores, head size 64": Case(length=1500, block=128, size=64, steepness=12.0),
    "very steep scores": Case(length=1500, block=128, size=128, steepness=100.0),
}


@needs_hopper
@pytest.mark.gpu
@pytest.mark.parametrize("backend", [Backend.GLUON, Backend.TRITON])
@pytest.mark.parametrize("case", HOPPER_CASES.values(), ids=HOPPER_CASES.keys())
def test_on_hopper(case: Case, backend: Backend) -> None:
    if case.dtype == torch.float32:
        case = replace(case, dtype=torch.bfloat16)
    error, worst = errors_of(case, torch.device("cuda"), backend)

    assert error < TOLERANCE[case.dtype]
    assert worst < 2e-2


@needs_hopper
@pytest.mark.gpu
@pytest.mark.parametrize("backend", [Backend.GLUON, Backend.TRITON])
@pytest.mark.parametrize("heads", [2, 136], ids=["131072 tokens", "131072 tokens, more than 2**31 elements"])
def test_long_on_hopper(heads: int, backend: Backend) -> None:
    length, block, size = 131072, 128, 128
    generator = torch.Generator(device="cuda").manual_seed(1)
    query = torch.randn(1, heads, length, size, dtype=torch.bfloat16, device="cuda", generator=generator)
    key = torch.randn(1, 2, length, size, dtype=torch.bfloat16, device="cuda", generator=generator)
    value = torch.randn(1, 2, length, size, dtype=torch.bfloat16, device="cuda", generator=generator)
    rows = length // block
    number = torch.arange(rows, device="cuda", dtype=torch.int32)
    # The first, the middle and the own block of each row block.
    lists = torch.stack([torch.zeros_like(number), number // 2, number], dim=1).expand(1, heads, -1, -1).contiguous()
    lists[:, :, :2, 0], lists[:, :, :2, 1] = number[:2], 2**30
    count = torch.full((1, heads, rows), 3, dtype=torch.int32, device="cuda")
    count[:, :, :2] = 1

    out, _ = block_sparse_attention(query, key, value, lists, count, block=block, backend=backend)

    for head, row in [(0, 0), (1, rows - 1), (heads - 1, rows - 1), (heads // 2, 517)]:
        blocks = lists[0, head, row, : count[0, head, row]].long()
        keys = (blocks[:, None] * block + torch.arange(block, device="cuda")).flatten()
        places = torch.arange(row * block, (row + 1) * block, device="cuda")
        owner = head // (heads // 2)
        expected, _ = reference(
            query[0, head : head + 1, places], key[0, owner : owner + 1, keys], value[0, owner : owner + 1, keys],
            keys <= places[:, None], size**-0.5, None, None,
        )  # fmt: skip
        found = out[0, head, places].double()
        assert float((found - expected[0]).norm() / expected.norm()) < TOLERANCE[torch.bfloat16]


def call(**changed: object) -> dict[str, object]:
    index, count = random_blocks(4, 100, 16, 0.5)
    return {
        "query": torch.zeros(1, 4, 100, 16), "key": torch.zeros(1, 2, 100, 16), "value": torch.zeros(1, 2, 100, 16),
        "block_index": index, "block_count": count, "block": 16,
    } | changed  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"query": torch.zeros(4, 100, 16)}, "query has 3 dimensions"),
        ({"key": torch.zeros(1, 2, 99, 16)}, r"key has shape \[1, 2, 99, 16\]; wanted \[batch 1, key heads, length"),
        ({"key": torch.zeros(1, 3, 100, 16), "value": torch.zeros(1, 3, 100, 16)}, "4 query heads must be a multiple"),
        ({"value": torch.zeros(1, 2, 100, 16).half()}, "share one dtype and device; got float16 on cpu, float32 on"),
        ({"value": torch.zeros(1, 1, 100, 16)}, "value has shape"),
        ({"block": 32}, r"block_index has shape \[1, 4, 7, \d\]; wanted .* 4 row blocks of 32 for length 100"),
        ({"block_count": torch.zeros(1, 4, 7)}, "block_count is torch.float32 on cpu; wanted int32 on cpu"),
        ({"block_count": torch.zeros(1, 4, 6, dtype=torch.int32)}, "block_count has shape"),
        ({"starts": torch.zeros(2, dtype=torch.int32)}, r"starts has shape \[2\]; wanted \[batch 1\]"),
        ({"scale": 0.0}, "scale 0.0 must be above 0"),
        ({"softcap": 0.0}, "softcap 0.0 must be above 0"),
        ({"sinks": torch.zeros(2)}, "sinks has shape"),
    ],
)
def test_bad_input_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=f"block_sparse_attention: .*{message}"):
        block_sparse_attention(**call(**changed))  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("place", "entry", "message"),
    [
        ((0, 1, 3, 0), 4, r"block_index\[0, 1, 3\] holds 4 at place 0; wanted strictly ascending blocks of 0 to 3"),
        ((0, 1, 3, 0), -1, "holds -1"),
        ((0, 0, 6, 1), 0, "holds 0 at place 1"),
    ],
)
def test_debugging_refuses_indices(
    place: tuple[int, ...], entry: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARSETOL_KERNELS_DEBUG", "1")
    index, count = random_blocks(4, 100, 16, 1.0)
    block_sparse_attention(**call(block_index=index, block_count=count))  # type: ignore[arg-type]  # mixed values
    index[place] = entry

    with pytest.raises(InputError, match=message):
        block_sparse_attention(**call(block_index=index, block_count=count))  # type: ignore[arg-type]  # mixed values


def test_debugging_refuses_counts_and_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSETOL_KERNELS_DEBUG", "1")
    index, count = random_blocks(4, 100, 16, 1.0)
    count[0, 2, 5] = index.shape[3] + 1

    with pytest.raises(InputError, match=rf"block_count\[0, 2, 5\] is {count[0, 2, 5]}; wanted 0 to {index.shape[3]}"):
        block_sparse_attention(**call(block_index=index, block_count=count))  # type: ignore[arg-type]  # mixed values
    with pytest.raises(InputError, match=r"starts\[0\] is 100; wanted 0 to 99"):
        block_sparse_attention(**call(starts=torch.tensor([100], dtype=torch.int32)))  # type: ignore[arg-type]  # likewise


def test_a_backend_that_cannot_compute_the_call_is_refused() -> None:
    tensor = torch.zeros(1, 1, 10, 16, dtype=torch.float64)

    assert block_sparse_backend(tensor, tensor, tensor, 16) is Backend.PYTORCH
    with pytest.raises(BackendError, match="gluon does not take blocks of 16, head sizes 16 and 16"):
        block_sparse_backend(tensor, tensor, tensor, 16, backend=Backend.GLUON)
