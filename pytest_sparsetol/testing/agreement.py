"""What the checks of all phases share: generated cases, the engine's attention on plain tensors, comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar, Generic, TypeVar

import pytest
import torch
from torch import Tensor

from pytest_sparsetol.engine.attention import Pass, attention, forward_pass
from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import Method
from pytest_sparsetol.testing.cases import BATCHES, CASES, LENGTHS, LEVELS, Case
from pytest_sparsetol.verdict import SPARSITY_TOLERANCE

T = TypeVar("T", bound=Method)

ROWS_AT_ONCE = 512
"""Rows of the naive score matrix that stand in memory at once."""


class Checks(Generic[T]):
    """Checks that do not depend on the phase.

    Attributes:
        method: the class under test.
        parameters: what it is configured with besides its sparsity.
        cases: shapes on which the selection must be the reference's.
        batches: lengths of batches' prompts.
        lengths: prompts on which sparsity is measured.
        levels: declared sparsities.

    """

    method: ClassVar[type[Any]]
    parameters: ClassVar[Mapping[str, Any]] = {}
    cases: ClassVar[Sequence[Case]] = CASES
    batches: ClassVar[Sequence[tuple[int, ...]]] = BATCHES
    lengths: ClassVar[Sequence[int]] = LENGTHS
    levels: ClassVar[Sequence[float]] = LEVELS

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each case, batch, and pair of length and level."""
        values: dict[str, Sequence[Any]] = {
            "case": self.cases,
            "batch": self.batches,
            "length": self.lengths,
            "level": self.levels,
        }
        for name in metafunc.fixturenames:
            if name in values:
                metafunc.parametrize(name, values[name], ids=lambda value: str(value).replace(", ", "+").strip("(),"))

    def configured(self, sparsity: float) -> T:
        """The method at a sparsity."""
        made: T = self.method(sparsity=sparsity, **self.parameters)
        return made

    def reachable(self, length: int) -> T:
        """The method at a high sparsity that it can hold at `length` tokens."""
        for sparsity in (0.8, 0.5, 0.25):
            method = self.configured(sparsity)
            try:
                method.check(length)
            except MethodError:
                continue
            return method
        return self.configured(0.0)

    def measured(self, method: T, length: int) -> float:
        """Share that `method` leaves out on a prompt of `length` tokens."""
        raise NotImplementedError

    def test_the_declared_sparsity_is_measured_or_refused(self, length: int, level: float) -> None:
        """To within 0.01, which is what the gate tolerates."""
        method = self.configured(level)
        try:
            method.check(length)
        except MethodError as error:
            require(f"{length} tokens" in str(error), f"the refusal does not say at what length: {error}")
            return
        found = self.measured(method, length)
        require(
            abs(found - level) <= SPARSITY_TOLERANCE,
            f"{method.name} declares {level:g} at {length} tokens, {found:.4f} is measured, and check() accepts it",
        )

    def test_the_reach_is_what_can_be_held(self, length: int) -> None:
        """At the reach the sparsity is held; beyond it, refused with the range."""
        reach = self.configured(0.0).reach(length)
        most = self.configured(int(reach * 100) / 100)
        most.check(length)
        found = self.measured(most, length)
        require(
            abs(found - (1 - most.kept)) <= SPARSITY_TOLERANCE,
            f"reach({length}) is {reach:.4f}, at {1 - most.kept:g} {found:.4f} is measured",
        )
        if reach < 0.98:
            with pytest.raises(MethodError, match=r"reachable"):
                self.configured(reach + 0.02).check(length)


def require(holds: bool, message: str) -> None:
    """Fail the test with `message` unless `holds`."""
    __tracebackhide__ = True
    if not holds:
        raise AssertionError(message)


def same_selection(found: Tensor, expected: Tensor, unit: str) -> None:
    """Fail unless two boolean tensors agree; the message names the first head and place that differ."""
    __tracebackhide__ = True
    if found.shape != expected.shape:
        raise AssertionError(f"the selection is {list(found.shape)}, the reference {list(expected.shape)}")
    different = (found != expected).nonzero()
    if len(different):
        head, *place = different[0].tolist()
        raise AssertionError(
            f"{len(different)} of {found.numel()} {unit} differ; the first, of head {head} at {place}, is "
            f"{'selected' if found[head, *place] else 'left out'} against the reference"
        )


@contextmanager
def poisoned_memory() -> Iterator[None]:
    """Fill every buffer that is allocated without a value with NaN, so that reading one shows."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def attend(current: Pass, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """One layer of the engine on a batch: `[batch, heads, ...]` in, `[batch, query heads, queries, size]` out."""
    with poisoned_memory(), forward_pass(current):
        out, _ = attention(SimpleNamespace(layer_idx=0), query, key, value, None, scaling=scale)
    return out.transpose(1, 2)


def padded(parts: Sequence[Tensor], longest: int) -> Tensor:
    """`[heads, length, size]` tensors as one batch, NaN on the left where there is no token."""
    out = torch.full((len(parts), parts[0].shape[0], longest, parts[0].shape[2]), float("nan"), dtype=parts[0].dtype)
    for row, part in zip(out, parts, strict=True):
        row[:, longest - part.shape[1] :] = part
    return out


def naive(query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scale: float) -> Tensor:
    """Softmax attention in float64 over the keys that `seen` `[query heads, queries, length]` lets through."""
    group = query.shape[0] // key.shape[0]
    out = torch.zeros(*query.shape[:2], value.shape[2], dtype=torch.float64)
    for head in range(query.shape[0]):
        keys, values = key[head // group].double(), value[head // group].double()
        for start in range(0, query.shape[1], ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            scores = query[head, rows].double() @ keys.T * scale
            out[head, rows] = scores.masked_fill(~seen[head, rows], float("-inf")).softmax(dim=-1) @ values
    return out


def causal(length: int) -> Tensor:
    """Which keys each query may attend: bool `[length, length]`."""
    return torch.ones(length, length, dtype=torch.bool).tril()
