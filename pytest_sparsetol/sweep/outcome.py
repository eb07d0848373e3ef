"""What a ladder came to: every group and mix that was tested at every level."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pytest_sparsetol.result import Evidence, PhaseSparsity, Verdict


@dataclass(frozen=True, kw_only=True)
class Tested:
    """One group, or the mix, at one level. Scores and losses are fractions, positive = loss.

    Attributes:
        p_value: of "the loss is at least the threshold"; 1 where the level stopped early or did not act as declared.
        losses: items on which the sparse model did worse.
        gains: items on which it did better.
        seconds_per_item: answering alone.
        peak_memory: bytes on the device, None where it does not count them.
        evidence: paired outcomes; None for the mix.

    """

    group: str
    sparsity: float
    verdict: Verdict
    reason: str
    p_value: float
    threshold: float
    items: int = 0
    losses: int = 0
    gains: int = 0
    degradation: float | None = None
    upper: float | None = None
    dense_score: float | None = None
    sparse_score: float | None = None
    measured_sparsity: PhaseSparsity = field(default_factory=dict)
    loaded_sparsity: PhaseSparsity = field(default_factory=dict)
    seconds_per_item: float | None = None
    peak_memory: int | None = None
    backend: str | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, kw_only=True)
class LadderResult:
    """A ladder that was climbed.

    Attributes:
        tested: in the order run.
        dense_seconds: of a dense answer, by group.
        dense_memory: peak bytes of dense answers, by group; None where the device does not count them.
        identity: what the claims hold for: weights, prompt, dtype, tasks, kernels.
        circumstances: device and versions.
        seconds: of answering, whether in this run or in one before it.
        kept: cells that an earlier run had finished.
        cut: whether time was up before it ended.
        error: verdict and reason where it could not be climbed.

    """

    node_id: str
    policy: str
    length: int
    tested: list[Tested] = field(default_factory=list)
    dense_seconds: dict[str, float] = field(default_factory=dict)
    dense_memory: dict[str, int | None] = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=dict)
    circumstances: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    kept: int = 0
    cut: bool = False
    error: tuple[Verdict, str] | None = None

    def of(self, group: str) -> list[Tested]:
        """A group's levels, lowest first."""
        return [tested for tested in self.tested if tested.group == group]

    def groups_at(self, level: float) -> dict[str, Tested]:
        """The groups that were tested at a level, without the mix."""
        return {one.group: one for one in self.tested if one.sparsity == level and one.evidence is not None}


def from_plain(parts: dict[str, Any]) -> LadderResult:
    """A result that travelled as plain values."""
    tested = [
        Tested(**{**one, "evidence": None if one["evidence"] is None else Evidence(**one["evidence"])})
        for one in parts["tested"]
    ]
    error = None if parts["error"] is None else (parts["error"][0], parts["error"][1])
    return LadderResult(**{**parts, "tested": tested, "error": error})
