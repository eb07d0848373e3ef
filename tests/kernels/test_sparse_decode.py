"""Sparse decode attention: the operator against a masked softmax in float64, the Triton kernels in the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from sparsetol_kernels.errors import InputError
from sparsetol_kernels.sparse_decode import sparse_decode_attention
from torch import Tensor

from tests.kernels.poison import poisoned

TOLERANCE = {torch.bfloat16: 1e-2, torch.float16: 1e-3, torch.float32: 1e-5}
"""Largest ||out - reference|| / ||reference||, the reference in float64."""


@dataclass(frozen=True)
class Case:
    """One batch: shapes, how full the lists are, and what else enters the softmax."""

    batch: int = 2
    heads: int = 2
    group: int = 3
    capacity: int = 150
    size: int = 32
    value_size: int = 32
    page: int = 16
    dtype: torch.dtype = torch.float32
    starts: tuple[int, ...] = (0, 21)
    lengths: tuple[int, ...] = (150, 77)
    window: int | None = None
    softcap: float | None = None
    sinks: bool = False
    strided: bool = False


CASES = {
    "pages": Case(),
    "pages of an odd size": Case(page=7),
    "tokens": Case(page=1),
    "bfloat16": Case(dtype=torch.bfloat16),
    "float16": Case(dtype=torch.float16),
    "one head of a key head": Case(group=1),
    "more heads than rows of a tile": Case(group=17, heads=1),
    "head size 96": Case(size=96, value_size=96),
    "values of another size": Case(value_size=48),
    "window": Case(window=40),
    "soft-cap": Case(softcap=2.0),
    "sinks": Case(sinks=True),
    "everything": Case(window=60, softcap=2.0, sinks=True, page=5, dtype=torch.float16),
    "one token": Case(lengths=(1, 1), starts=(0, 149)),
    "not contiguous": Case(strided=True),
    "cache longer than the sequences": Case(lengths=(33, 1), starts=(3, 0)),
}


@dataclass(frozen=True)
class Batch:
    query: Tensor
    key: Tensor
    value: Tensor
    index: Tensor
    count: Tensor
    starts: Tensor
    lengths: Tensor
    sinks: Tensor | None

    def arguments(self, case: Case, device: torch.device, *more: object) -> tuple[Any, ...]:
        """The operator's, and what else the kernels' launch is to be given."""
        tensors = (self.query, self.key, self.value, self.index, self.count, self.starts, self.lengths)
        sinks = None if self.sinks is None else self.sinks.to(device)
        on_device = (tensor if device.type == "cpu" else to_strided(tensor, device) for tensor in tensors)
        return (*on_device, case.page, case.size**-0.5, case.window, case.softcap, sinks, *more)


def batch_of(case: Case, seed: int = 3) -> Batch:
    """Random inputs; what no list names is NaN in the cache, what no count covers is out of range in the lists."""
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(case.batch, case.heads * case.group, case.size, generator=generator)
    key = torch.randn(case.batch, case.heads, case.capacity, case.size, generator=generator)
    value = torch.randn(case.batch, case.heads, case.capacity, case.value_size, generator=generator)
    starts = torch.tensor(case.starts[: case.batch], dtype=torch.int32)
    lengths = torch.tensor(case.lengths[: case.batch], dtype=torch.int32)
    most = -(-case.capacity // case.page)
    index = torch.full((case.batch, case.heads, most), 10**8, dtype=torch.int32)
    count = torch.zeros(case.batch, case.heads, dtype=torch.int32)
    for sequence in range(case.batch):
        pages = -(-int(lengths[sequence]) // case.page)
        for head in range(case.heads):
            # Full, half and, for the last list, empty.
            kept = (pages, (pages + 1) // 2, 1, 0)[(sequence * case.heads + head) % 4]
            count[sequence, head] = kept
            index[sequence, head, :kept] = torch.randperm(pages, generator=generator)[:kept].int()
            seen = listed(case, index[sequence, head, :kept], int(lengths[sequence]), window=False)
            unread = torch.ones(case.capacity, dtype=torch.bool)
            unread[int(starts[sequence]) + seen] = False
            key[sequence, head, unread] = float("nan")
            value[sequence, head, unread] = float("nan")
    sinks = torch.randn(case.heads * case.group, generator=generator) if case.sinks else None
    query, key, value = (tensor.to(case.dtype) for tensor in (query, key, value))
    if case.strided:
        query, key, value = (apart(tensor) for tensor in (query, key, value))
        index, count = apart(index), apart(count)
    return Batch(query, key, value, index, count, starts, lengths, sinks)


def to_strided(tensor: Tensor, device: torch.device) -> Tensor:
    """A copy on the device with the strides of the original."""
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device).copy_(tensor)


def apart(tensor: Tensor) -> Tensor:
    """The same numbers, every second element of a wider buffer whose dimensions run backwards."""
    shape = tensor.shape[::-1]
    wide = tensor.new_full((*shape[:-1], 2 * shape[-1]), -1)
    view = wide[..., ::2].permute(*range(tensor.dim() - 1, -1, -1))
    view.copy_(tensor)
    return view


def listed(case: Case, pages: Tensor, length: int, *, window: bool = True) -> Tensor:
    tokens = (pages.long()[:, None] * case.page + torch.arange(case.page)).flatten()
    tokens = tokens[tokens < length]
    return tokens[tokens >= length - case.window] if window and case.window is not None else tokens


def by_definition(case: Case, batch: Batch) -> tuple[Tensor, Tensor]:
    """Query head by query head in float64."""
    out = torch.zeros(case.batch, case.heads * case.group, case.value_size, dtype=torch.float64)
    lse = torch.full((case.batch, case.heads * case.group), float("-inf"), dtype=torch.float64)
    for sequence in range(case.batch):
        for row in range(case.heads * case.group):
            head = row // case.group
            pages = batch.index[sequence, head, : int(batch.count[sequence, head])]
            at = int(batch.starts[sequence]) + listed(case, pages, int(batch.lengths[sequence]))
            scores = batch.key[sequence, head, at].double() @ batch.query[sequence, row].double() * case.size**-0.5
            if case.softcap is not None:
                scores = case.softcap * torch.tanh(scores / case.softcap)
            weights = scores.exp()
            total = weights.sum() + (0 if batch.sinks is None else batch.sinks[row].double().exp())
            if total > 0:
                out[sequence, row] = weights @ batch.value[sequence, head, at].double() / total
                lse[sequence, row] = total.log()
    return out, lse


def assert_close(case: Case, batch: Batch, out: Tensor, lse: Tensor) -> None:
    expected, expected_lse = by_definition(case, batch)
    assert out.dtype == case.dtype
    assert ((out.double() - expected).norm() / expected.norm()) < TOLERANCE[case.dtype]
    assert not out[expected_lse.isinf()].any()
    torch.testing.assert_close(lse.double(), expected_lse, atol=2e-2 if case.dtype == torch.bfloat16 else 2e-3, rtol=0)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_operator_computes_the_definition(case: Case) -> None:
    batch = batch_of(case)

    out, lse = sparse_decode_attention(
        batch.query, batch.key, batch.value, batch.index, batch.count,
        page_size=case.page, starts=batch.starts, lengths=batch.lengths,
        window=case.window, softcap=case.softcap, sinks=batch.sinks,
    )  # fmt: skip

    assert_close(case, batch, out, lse)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_triton_computes_the_definition(case: Case, kernel_device: torch.device) -> None:
    from sparsetol_kernels.on_triton.sparse_decode import Launch, launch

    if case.dtype == torch.bfloat16 and kernel_device.type == "cpu":
        pytest.skip("the interpreter multiplies bfloat16 as if its bits were integers")
    batch = batch_of(case)

    with poisoned():
        # Five pieces of 16 tokens: some get several tiles, some of the short lists none.
        out, lse = launch(*batch.arguments(case, kernel_device, Launch(16, warps=4, stages=2, programs=5)))

    assert_close(case, batch, out.cpu(), lse.cpu())


def test_triton_may_cut_a_list_anywhere(kernel_device: torch.device) -> None:
    from sparsetol_kernels.on_triton.sparse_decode import Launch, launch

    batch = batch_of(CASES["pages"])
    launches = [Launch(tokens, warps=4, stages=2, programs=programs) for tokens, programs in ((128, 1), (16, 40))]

    (one, one_lse), (many, many_lse) = (
        launch(*batch.arguments(CASES["pages"], kernel_device, how)) for how in launches
    )

    torch.testing.assert_close(one, many)
    torch.testing.assert_close(one_lse, many_lse)


@pytest.mark.parametrize("sinks", [False, True])
def test_triton_of_empty_lists_alone(*, sinks: bool, kernel_device: torch.device) -> None:
    from sparsetol_kernels.on_triton.sparse_decode import launch

    case = Case(sinks=sinks)
    batch = batch_of(case)
    batch.count.zero_()

    with poisoned():
        out, lse = launch(*batch.arguments(case, kernel_device))

    assert not out.any()
    expected = torch.full_like(lse, -torch.inf) if batch.sinks is None else batch.sinks.to(lse).expand_as(lse)
    torch.testing.assert_close(lse, expected)


def test_the_operator_is_well_formed() -> None:
    batch = batch_of(CASES["everything"])

    torch.library.opcheck(
        torch.ops.sparsetol.sparse_decode_attention.default, batch.arguments(CASES["everything"], torch.device("cpu"))
    )


WRONG = {
    "query of two dimensions": (lambda b: {"query": b.query[0]}, "query, key and value have 2, 4 and 4 dimensions"),
    "heads that do not divide": (
        lambda b: {"query": b.query[:, :5]},
        r"key \(2, 2, 150, 32\) does not fit query \(2, 5, 32\)",
    ),
    "another head size": (lambda b: {"query": b.query[..., :16]}, "batch and head size must be equal"),
    "fewer values": (lambda b: {"value": b.value[:, :, 1:]}, "as many sequences, heads and tokens"),
    "lists of one sequence": (
        lambda b: {"index": b.index[:1]},
        r"index \(1, 2, 10\) must be \[batch, key heads, most\]",
    ),
    "counts of one head": (lambda b: {"count": b.count[:, :1]}, r"count \(2, 1\) must be \(2, 2\)"),
    "another dtype": (lambda b: {"key": b.key.half()}, "key is torch.float16 and query torch.float32"),
    "wide lists": (lambda b: {"index": b.index.long()}, "index is torch.int64, must be torch.int32"),
    "another device": (lambda b: {"value": b.value.to("meta")}, "value and query are on different devices"),
    "no page": (lambda _: {"page_size": 0}, "page_size 0 must be at least 1"),
    "no window": (lambda _: {"window": 0}, "window 0 must be at least 1"),
    "no soft-cap": (lambda _: {"softcap": 0.0}, "softcap 0.0 must be above 0"),
    "a page too far": (lambda b: {"lengths": b.lengths // 2}, r"index\[0, 0, \d\] is \d; sequence 0 has pages 0 to 4"),
    "more than the list": (lambda b: {"count": b.count + 1}, r"count\[0, 0\] is 11, must be 0 to 10"),
    "beyond the cache": (lambda b: {"starts": b.starts + 1}, "sequence 0 starts at 1 and has 150 tokens.*cache's 150"),
    "a page twice": (lambda b: {"index": b.index * 0, "count": b.count.clamp(max=2)}, r"index\[0, 0\] holds 0 twice"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_arguments_are_named(
    change: Callable[[Batch], dict[str, object]], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARSETOL_KERNELS_DEBUG", "1")
    batch = batch_of(CASES["pages"])
    right = {name: getattr(batch, name) for name in ("query", "key", "value", "index", "count", "starts", "lengths")}

    with pytest.raises(InputError, match=message):
        sparse_decode_attention(**(right | {"page_size": 16} | change(batch)))
