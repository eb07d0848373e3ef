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
    """Smallest, largest and mean of values."""

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
    stay dense and have no entries. `found` are parameters that a declared sparsity came to, by phase and name.
    """

    attended: dict[Phase, float] = field(default_factory=lambda: defaultdict(float))
    loaded: dict[Phase, float] = field(default_factory=lambda: defaultdict(float))
    entries: dict[Phase, int] = field(default_factory=lambda: defaultdict(int))
    layers: set[int] = field(default_factory=set)
    local_layers: set[int] = field(default_factory=set)
    found: dict[tuple[Phase, str], Spread] = field(default_factory=dict)

    def note(self, phase: Phase, found: Mapping[str, Tensor]) -> None:
        """Take in parameters that one layer of one sequence was given: one or more values each."""
        for name, values in found.items():
            spread = Spread(float(values.min()), float(values.max()), float(values.sum()), values.numel())
            known = self.found.get((phase, name))
            self.found[phase, name] = spread if known is None else known.with_(spread)

    def count(self, phase: Phase, attended: Tensor, loaded: Tensor) -> None:
        """Take in one layer of one sequence: shares of the dense work, float64, one for each head."""
        self.attended[phase] += float(attended.sum())
        self.loaded[phase] += float(loaded.sum())
        self.entries[phase] += attended.numel()

    def add(self, other: Meter) -> None:
        """Take in another run's counts."""
        for phase, entries in other.entries.items():
            self.attended[phase] += other.attended[phase]
            self.loaded[phase] += other.loaded[phase]
            self.entries[phase] += entries
        for key, spread in other.found.items():
            known = self.found.get(key)
            self.found[key] = spread if known is None else known.with_(spread)
        self.layers |= other.layers
        self.local_layers |= other.local_layers

    def measured(self, phase: Phase) -> float | None:
        """Share of pairs or tokens not attended, averaged over heads, layers, sequences and steps; None if none ran."""
        return 1 - self.attended[phase] / self.entries[phase] if self.entries.get(phase) else None

    def loaded_sparsity(self, phase: Phase) -> float | None:
        """The same for what was loaded; below zero where selection data outweighs what was saved."""
        return 1 - self.loaded[phase] / self.entries[phase] if self.entries.get(phase) else None
