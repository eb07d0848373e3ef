"""Counts how sparse a run really was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_sparsetol.methods.base import Phase


@dataclass(frozen=True)
class Spread:
    """Smallest and largest of values, their sum and their number."""

    least: float
    most: float
    total: float
    count: int

    def with_(self, other: Spread) -> Spread:
        """Both together."""
        return replace(
            self,
            least=min(self.least, other.least),
            most=max(self.most, other.most),
            total=self.total + other.total,
            count=self.count + other.count,
        )


@dataclass
class Meter:
    """Attended and loaded shares of the dense work, one entry for each head, layer, sequence and step.

    `layers` are those that computed attention, `local_layers` those whose window is shorter than the sequence: these
    stay dense and have no entries. What is counted is summed where it is and read back together, once somebody asks: a
    read at every layer would keep the host from running ahead of a CUDA device.
    """

    entries: dict[Phase, int] = field(default_factory=lambda: defaultdict(int))
    layers: set[int] = field(default_factory=set)
    local_layers: set[int] = field(default_factory=set)
    _attended: dict[Phase, float] = field(default_factory=lambda: defaultdict(float))
    _loaded: dict[Phase, float] = field(default_factory=lambda: defaultdict(float))
    _found: dict[tuple[Phase, str], Spread] = field(default_factory=dict)
    _shares: list[tuple[Phase, Tensor, Tensor]] = field(default_factory=list)
    """Sums that are not read back yet."""
    _parameters: list[tuple[Phase, str, int, Tensor, Tensor, Tensor]] = field(default_factory=list)
    """Likewise: how many values, the least, the largest and their sum."""

    @property
    def found(self) -> dict[tuple[Phase, str], Spread]:
        """Parameters that a declared sparsity came to, by phase and name."""
        self._read_back()
        return self._found

    def note(self, phase: Phase, found: Mapping[str, Tensor]) -> None:
        """Take in parameters that one layer of one sequence was given: one or more values each."""
        for name, values in found.items():
            self._parameters.append((phase, name, values.numel(), values.min(), values.max(), values.sum()))

    def count(self, phase: Phase, attended: Tensor, loaded: Tensor) -> None:
        """Take in one layer of one sequence: shares of the dense work, float64, one for each head."""
        self._shares.append((phase, attended.sum(), loaded.sum()))
        self.entries[phase] += attended.numel()

    def count_alike(self, phase: Phase, attended: float, loaded: float, heads: int) -> None:
        """The same where all heads have the same shares, which the host knows."""
        self._attended[phase] += attended * heads
        self._loaded[phase] += loaded * heads
        self.entries[phase] += heads

    def add(self, other: Meter) -> None:
        """Take in another run's counts."""
        self._read_back()
        other._read_back()
        for phase, entries in other.entries.items():
            self._attended[phase] += other._attended[phase]
            self._loaded[phase] += other._loaded[phase]
            self.entries[phase] += entries
        for (phase, name), spread in other._found.items():
            self._spread(phase, name, spread)
        self.layers |= other.layers
        self.local_layers |= other.local_layers

    def measured(self, phase: Phase) -> float | None:
        """Share of pairs or tokens not attended, averaged over heads, layers, sequences and steps; None if none ran."""
        self._read_back()
        return 1 - self._attended[phase] / self.entries[phase] if self.entries.get(phase) else None

    def loaded_sparsity(self, phase: Phase) -> float | None:
        """The same for what was loaded; below zero where selection data outweighs what was saved."""
        self._read_back()
        return 1 - self._loaded[phase] / self.entries[phase] if self.entries.get(phase) else None

    def _read_back(self) -> None:
        shares = iter(_numbers([tensor for _, *pair in self._shares for tensor in pair]))
        for (phase, *_), attended, loaded in zip(self._shares, shares, shares, strict=True):
            self._attended[phase] += attended
            self._loaded[phase] += loaded
        self._shares.clear()
        spreads = iter(
            _numbers([tensor for *_, least, most, total in self._parameters for tensor in (least, most, total)])
        )
        for (phase, name, count, *_), least, most, total in zip(
            self._parameters, spreads, spreads, spreads, strict=True
        ):
            self._spread(phase, name, Spread(least, most, total, count))
        self._parameters.clear()

    def _spread(self, phase: Phase, name: str, spread: Spread) -> None:
        known = self._found.get((phase, name))
        self._found[phase, name] = spread if known is None else known.with_(spread)


def _numbers(scalars: list[Tensor]) -> list[float]:
    """Scalars of any devices as numbers, each device waited for once."""
    import torch

    numbers = [0.0] * len(scalars)
    for device in {scalar.device for scalar in scalars}:
        places = [place for place, scalar in enumerate(scalars) if scalar.device == device]
        values = torch.stack([scalars[place].double() for place in places]).tolist()
        for place, value in zip(places, values, strict=True):
            numbers[place] = value
    return numbers
