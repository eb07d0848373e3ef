"""Which corners of scope and dispersion a suite's tasks reach, at which lengths, and what is left without evidence.

How much sparsity is safe depends on both (The Sparse Frontier, arXiv 2504.17768): results from one corner say little
about the others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sparsetol_suites.lengths import show_length
from sparsetol_suites.suite import Suite, SuiteTask
from sparsetol_suites.task import Level

CORNERS: tuple[tuple[Level, Level], ...] = (("low", "low"), ("high", "low"), ("low", "high"), ("high", "high"))
"""Scope and dispersion of each corner."""

MEANING: dict[tuple[Level, Level], str] = {
    ("low", "low"): "answers that need a few facts which are easy to find",
    ("high", "low"): "answers that need many facts",
    ("low", "high"): "answers whose facts are hard to find or far apart",
    ("high", "high"): "answers that need many facts which are hard to find",
}
"""The traffic that a corner stands for."""


@dataclass(frozen=True)
class Corner:
    """What reaches a corner.

    Attributes:
        scope: how many facts answers need.
        dispersion: how hard they are to find.
        tasks: of the suite, those in this corner.

    """

    scope: Level
    dispersion: Level
    tasks: tuple[SuiteTask, ...]

    @property
    def meaning(self) -> str:
        """The traffic that it stands for."""
        return MEANING[self.scope, self.dispersion]

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of its tasks."""
        return tuple(dict.fromkeys(task.group for task in self.tasks))

    def reached(self, length: int) -> bool:
        """Whether some task is made for prompts of `length` tokens."""
        return any(task.shortest <= length <= task.longest for task in self.tasks)


def coverage(suite: Suite, groups: Collection[str] | None = None) -> tuple[Corner, ...]:
    """The four corners with the suite's tasks, those of `groups` alone where they are given."""
    tasks = [task for task in suite.tasks if groups is None or task.group in groups]
    return tuple(
        Corner(scope, dispersion, tuple(task for task in tasks if (task.scope, task.dispersion) == (scope, dispersion)))
        for scope, dispersion in CORNERS
    )


def unclaimed(suite: Suite, groups: Collection[str], lengths: Sequence[int]) -> str | None:
    """One sentence on what results of these groups at these lengths (tokens) cannot claim; None where all is reached.

    A corner counts as reached at a length by its own tasks, one that is high in one respect also by tasks that are
    high in both. That last corner itself, for which no shipped task exists, may stay empty.
    """
    gaps: dict[tuple[Level, Level], list[int]] = {}
    corners = {(corner.scope, corner.dispersion): corner for corner in coverage(suite, groups)}
    for key in CORNERS[:3]:
        standing = [corners[key]] if key == ("low", "low") else [corners[key], corners["high", "high"]]
        missed = [length for length in lengths if not any(corner.reached(length) for corner in standing)]
        if missed:
            gaps[key] = missed
    if not gaps:
        return None
    parts = [f"{MEANING[key]}{_at(missed, lengths)}" for key, missed in gaps.items()]
    spare = [corner for corner in coverage(suite) if (corner.scope, corner.dispersion) in gaps]
    more = sorted({group for corner in spare for group in corner.groups} - set(groups))
    advice = f" (groups of suite {suite.name!r} that would: {', '.join(more)})" if more else ""
    return f"the mix says nothing about {'; '.join(parts)}{advice}"


def _at(missed: Sequence[int], lengths: Sequence[int]) -> str:
    """At which lengths, unless it is all."""
    return "" if len(missed) == len(lengths) else f" at {', '.join(map(show_length, missed))}"
