"""Paired differences as the limits see them: checked, and summed up by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_sparsetol.statistics.errors import EvidenceError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Clusters of differences, equal ones merged. The unit of evidence is a cluster; an item alone is one of size 1.

    Attributes:
        totals: sum of a cluster's differences.
        sizes: its number of items.
        counts: how many clusters look so.

    """

    totals: Floats
    sizes: Floats
    counts: Floats

    @property
    def items(self) -> float:
        """Items in all."""
        return float((self.sizes * self.counts).sum())

    @property
    def mean(self) -> float:
        """Mean difference of an item."""
        return float((self.totals * self.counts).sum() / self.items)

    def mirrored(self) -> Sample:
        """The same with gains and losses exchanged."""
        return Sample(-self.totals, self.sizes, self.counts)

    def times(self, factor: float) -> Sample:
        """What `factor` times as many clusters of the same kinds would look like."""
        return Sample(self.totals, self.sizes, self.counts * factor)


def check_differences(differences: Sequence[float], clusters: Sequence[str] | None = None) -> Floats:
    """Return the differences as an array; raise `EvidenceError` where they cannot be judged."""
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1:
        raise EvidenceError(f"differences must be one number an item, not an array of shape {values.shape}")
    if len(values) == 0:
        raise EvidenceError("no differences: a verdict needs at least one item")
    wrong = np.flatnonzero(~(np.abs(values) <= 1))
    if len(wrong):
        raise EvidenceError(
            f"difference {values[wrong[0]]:g} of item {wrong[0]} is outside [-1, 1]; scores must lie in [0, 1]"
        )
    if clusters is not None and len(clusters) != len(values):
        raise EvidenceError(f"{len(values)} differences but {len(clusters)} clusters; one cluster name an item")
    return values


def collect(differences: Sequence[float], clusters: Sequence[str] | None = None) -> Sample:
    """Sum differences up by cluster (`None`: every item is its own), and merge clusters that look the same."""
    values = check_differences(differences, clusters)
    totals: Floats = values
    sizes: Floats = np.ones_like(values)
    if clusters is not None:
        places: dict[str, int] = {}
        index = [places.setdefault(name, len(places)) for name in clusters]
        totals = np.bincount(index, weights=values).astype(np.float64)
        sizes = np.bincount(index).astype(np.float64)
    return merge(totals, sizes)


def merge(totals: Floats, sizes: Floats) -> Sample:
    """Merge clusters that look the same."""
    # Adding up in another order may change the last bits of a total, which must not split equal clusters.
    pairs, counts = np.unique(np.column_stack([np.round(totals, 12), sizes]), axis=0, return_counts=True)
    return Sample(pairs[:, 0] + 0.0, pairs[:, 1], counts.astype(np.float64))
