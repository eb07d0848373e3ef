"""Scores of one model under one policy, in one group or over the mix, and how two of them differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_sparsetol.result import Evidence


@dataclass(frozen=True)
class GroupScores:
    """Scores of a model in one group.

    Attributes:
        weight: the group's share of what is looked at: 1 for a group alone, its share of traffic in a mix.
        dense: dense scores of the planned items, in their order.
        lost: dense - sparse score of the items that ran sparse, the first of the planned ones; none for dense itself.
        documents: number of each planned item's document; empty where no two items share one.
        asked: hash of the items' messages.

    """

    weight: float
    dense: Sequence[float]
    lost: Sequence[float]
    documents: Sequence[int]
    asked: str

    @classmethod
    def of(cls, evidence: Evidence, weight: float, *, sparse: bool) -> GroupScores:
        """Dense scores, or those under the cell's policy."""
        lost = evidence.differences if sparse else []
        return cls(weight, evidence.dense, lost, evidence.documents, evidence.asked)

    @property
    def whole(self) -> bool:
        """Whether all planned items have a score."""
        return len(self.lost) in {0, len(self.dense)}

    @property
    def mean(self) -> float:
        """Mean score: of all planned items dense, less the mean loss of those that ran sparse, kept in [0, 1].

        Where a cell stopped early its items are few, and how hard they are for the dense model too would blur what
        sparsity did.
        """
        lost = math.fsum(self.lost) / len(self.lost) if self.lost else 0.0
        return min(1.0, max(0.0, math.fsum(self.dense) / len(self.dense) - lost))

    @property
    def scores(self) -> list[float]:
        """Of each item, where all have one; without the last bits, which could leave [0, 1]."""
        lost = self.lost or [0.0] * len(self.dense)
        return [round(score - loss, 12) for score, loss in zip(self.dense, lost, strict=True)]

    @property
    def clusters(self) -> list[str] | None:
        """Names of the items' documents, None where all differ."""
        return list(map(str, self.documents)) or None


def mean(parts: Sequence[GroupScores]) -> float:
    """Mean score over all groups by weight, a fraction."""
    return math.fsum(part.weight * part.mean for part in parts)


def paired(one: Sequence[GroupScores], other: Sequence[GroupScores]) -> bool:
    """Whether both were asked the same items, in each group."""
    return all(first.asked == second.asked for first, second in zip(one, other, strict=True))


def limits(one: Sequence[GroupScores], other: Sequence[GroupScores], confidence: float) -> tuple[float, float] | None:
    """Two-sided limits of the mean score of `one` less that of `other`; None where a cell stopped early.

    Where a group's items are the same, their differences are one sample (Gaffke's limits); where they are not, the two
    models' scores are two independent samples. Samples are melded by their weights, as in a mix; see
    `pytest_sparsetol.statistics`. A stop that depends on the scores leaves no valid limits of a plain mean.

    Args:
        one: groups of the first.
        other: the same groups of the second, in the same order.
        confidence: of the two limits together.

    """
    if not all(part.whole for part in (*one, *other)):
        return None
    from pytest_sparsetol.statistics.melding import belief, meld
    from pytest_sparsetol.statistics.sample import Sample, collect

    samples: list[tuple[Sample, float]] = []
    for first, second in zip(one, other, strict=True):
        if first.asked == second.asked:
            differences = [a - b for a, b in zip(first.scores, second.scores, strict=True)]
            samples.append((collect(differences, first.clusters), first.weight))
            continue
        # (a - b) is half of (2a - 1) + (1 - 2b), both of which lie in [-1, 1].
        for part, sign in ((first, 1.0), (second, -1.0)):
            stretched = [sign * (2 * score - 1) for score in part.scores]
            samples.append((collect(stretched, part.clusters), first.weight / 2))
    alpha = (1 - confidence) / 2
    upper = meld([(belief(sample), weight) for sample, weight in samples], alpha)
    lower = -meld([(belief(sample.mirrored()), weight) for sample, weight in samples], alpha)
    return lower, upper
