"""Verdicts simulated over kinds of scores, losses, thresholds and numbers of items, many runs at once.

`judge_many` judges with the arithmetic of `pytest_sparsetol.statistics.decide`; `tests/statistics/test_simulation.py`
compares the two run by run. Runs of one point at different numbers of items are beginnings of the same runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_sparsetol.statistics import Plan
from pytest_sparsetol.statistics.betting import PRIOR, STAKES
from pytest_sparsetol.statistics.decision import ROUNDING
from pytest_sparsetol.statistics.melding import quantile, spectrum
from pytest_sparsetol.statistics.mix import group_belief
from pytest_sparsetol.statistics.planning import EARLY
from pytest_sparsetol.statistics.tail import probability_positive

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
THRESHOLDS = (0.02, 0.05, 0.1)
DISCORDANCES = (0.0, 0.03, 0.1, 0.2, 0.3)
"""Share of items whose score changes; 0 stands for the least that gives the loss: every change is a loss."""
ITEMS = (20, 50, 100, 200, 500)
LOSSES = (0.0, 0.5, 1.0, 3.0)
"""True mean loss, in thresholds."""
CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
PASS, FAIL, INCONCLUSIVE = 0, 1, 2
CLUSTER = 4
CHUNK = 2000


@dataclass(frozen=True)
class Kind:
    """A kind of scores: sizes and probabilities of changes, and how much clusters share.

    Attributes:
        sizes: of a change of an item's score.
        chances: of each size.
        cluster: items of a document.
        shared: chance that all items of a document fare alike.

    """

    name: str
    sizes: tuple[float, ...]
    chances: tuple[float, ...]
    cluster: int = 1
    shared: float = 0.0

    @property
    def typical(self) -> float:
        """Mean size of a change."""
        return float(np.dot(self.sizes, self.chances))

    def discordance(self, wanted: float, loss: float) -> float | None:
        """The share of items that change, None where the loss needs more changes than that."""
        least = loss / self.typical
        if wanted == 0:
            return least if 0 < least <= 1 else None
        return wanted if wanted >= least else None

    def draw(self, random: np.random.Generator, runs: int, items: int, discordance: float, loss: float) -> Floats:
        """Totals of clusters, one row a run."""
        worse = (1 + loss / (discordance * self.typical)) / 2
        values = np.array([0.0, *self.sizes, *(-size for size in self.sizes)])
        chances = np.array(
            [
                1 - discordance,
                *(discordance * worse * chance for chance in self.chances),
                *(discordance * (1 - worse) * chance for chance in self.chances),
            ]
        )
        edges = np.cumsum(chances)[:-1]
        documents = -(-items // self.cluster)
        uniform = random.random((runs, documents, self.cluster))
        if self.cluster > 1:
            alike = random.random((runs, documents)) < self.shared
            uniform = np.where(alike[:, :, None], uniform[:, :, :1], uniform)
        return np.asarray(values[np.searchsorted(edges, uniform, side="right")].sum(axis=2))


KINDS = (
    Kind("binary", (1.0,), (1.0,)),
    Kind("F1-like", tuple(step / 10 for step in range(1, 11)), (0.1,) * 10),
    Kind("zero-inflated", (0.05, 0.25, 1.0), (0.6, 0.25, 0.15)),
    Kind("clustered", (1.0,), (1.0,), cluster=CLUSTER, shared=0.7),
)


@dataclass(frozen=True)
class Outcomes:
    """Verdict and items used, one of each a run."""

    verdicts: Integers
    items: Integers

    def share(self, verdict: int) -> float:
        """Share of the runs with a verdict."""
        return float((self.verdicts == verdict).mean())


@dataclass
class Batch:
    """Many runs of clusters of one size, with what several plans can share."""

    totals: Floats
    size: int
    threshold: float

    def __post_init__(self) -> None:
        rounded = np.round(self.totals, 9)
        self.kinds = np.unique(rounded)
        self.codes = np.searchsorted(self.kinds, rounded)
        self.stops = self._stops()
        self._upper: dict[int, Floats] = {}
        self._lower: dict[int, Floats] = {}

    def _stops(self) -> Integers:
        """Place of the cluster that makes early FAIL certain, the number of clusters where none does."""
        certain = np.ones(self.totals.shape, dtype=bool)
        for mean, needed in ((self.threshold, 1 / ALPHA), (0.0, 1 / (ALPHA * EARLY))):
            wealth = np.zeros(self.totals.shape)
            payoff = (self.kinds / self.size - mean) / (1 + mean)
            with np.errstate(over="ignore", under="ignore"):
                for stake, share in zip(STAKES, PRIOR, strict=True):
                    wealth += share * np.cumprod((1 + stake * payoff)[self.codes], axis=1)
            certain &= wealth >= needed
        return np.asarray(np.where(certain.any(axis=1), certain.argmax(axis=1), self.totals.shape[1]))

    def counts(self, clusters: int) -> Integers:
        """How many of the first clusters of each run are of each kind."""
        runs, kinds = len(self.codes), len(self.kinds)
        flat = (self.codes[:, :clusters] + kinds * np.arange(runs)[:, None]).ravel()
        return np.asarray(np.bincount(flat, minlength=runs * kinds).reshape(runs, kinds))

    def mean(self, clusters: int) -> Floats:
        """Mean difference of an item."""
        return np.asarray(self.totals[:, :clusters].sum(axis=1) / (clusters * self.size))

    def upper(self, clusters: int) -> Floats:
        """P-value of "the mean loss is at least the threshold"; 1 where the mean is above, which settles it."""
        if clusters not in self._upper:
            weights = np.append(self.kinds / self.size - self.threshold, 1 - self.threshold)
            self._upper[clusters] = self._tail(weights, clusters, self.mean(clusters) < self.threshold)
        return self._upper[clusters]

    def lower(self, clusters: int) -> Floats:
        """P-value of "the mean loss is at most 0"; 1 where the mean is at most the threshold: no FAIL then."""
        if clusters not in self._lower:
            weights = np.append(-self.kinds / self.size, 1.0)
            self._lower[clusters] = self._tail(weights, clusters, self.mean(clusters) > self.threshold + ROUNDING)
        return self._lower[clusters]

    def _tail(self, weights: Floats, clusters: int, wanted: npt.NDArray[np.bool_]) -> Floats:
        result = np.ones(len(self.codes))
        if wanted.any():
            rows, inverse = np.unique(self.counts(clusters)[wanted], axis=0, return_inverse=True)
            added = np.concatenate([rows, np.ones((len(rows), 1), dtype=rows.dtype)], axis=1)
            result[wanted] = probability_positive(weights, added)[inverse.ravel()]
        return result


def judge_many(batch: Batch, plan: Plan) -> Outcomes:
    """The verdicts of `decide` on every run of a batch under a plan."""
    runs = len(batch.totals)
    last = -(-plan.items // batch.size)
    stops = batch.stops if plan.early_fail else np.full(runs, batch.totals.shape[1])
    verdicts = np.full(runs, INCONCLUSIVE)
    items = np.full(runs, last * batch.size)
    running = np.ones(runs, dtype=bool)

    def end(which: npt.NDArray[np.bool_], verdict: int, used: Integers | int) -> None:
        verdicts[which] = verdict
        items[which] = used[which] if isinstance(used, np.ndarray) else used
        running[which] = False

    for look, share in zip(plan.looks, plan.shares, strict=True):
        clusters = -(-look // batch.size)
        end(running & (stops < clusters - 1), FAIL, (stops + 1) * batch.size)
        end(running & (batch.upper(clusters) <= ALPHA * share), PASS, clusters * batch.size)
        if look in plan.ends:
            end(running & (batch.lower(clusters) < ALPHA * share * plan.late - ROUNDING), FAIL, clusters * batch.size)
        end(running & (stops == clusters - 1), FAIL, clusters * batch.size)
    return Outcomes(verdicts, items)


def points(random: np.random.Generator, runs: int) -> Iterator[dict[str, Any]]:
    """Every point of the grid: shares of verdicts with one look, with and without early FAIL."""
    for kind in KINDS:
        for threshold in THRESHOLDS:
            for wanted in DISCORDANCES:
                for times in LOSSES:
                    loss = times * threshold
                    discordance = kind.discordance(wanted, loss)
                    if discordance is not None:
                        yield from _point(random, runs, kind, threshold, discordance, times)


def _point(
    random: np.random.Generator, runs: int, kind: Kind, threshold: float, discordance: float, times: float
) -> Iterator[dict[str, Any]]:
    parts: dict[tuple[int, bool], list[Outcomes]] = {}
    for batch in batches(random, runs, kind, max(ITEMS), threshold, discordance, times * threshold):
        for items in ITEMS:
            for early in (True, False):
                plan = Plan(items, early_fail=early)
                parts.setdefault((items, early), []).append(judge_many(batch, plan))
    for (items, early), some in parts.items():
        yield {
            "kind": kind.name,
            "threshold": threshold,
            "discordance": round(discordance, 4),
            "loss": round(times * threshold, 4),
            "times": times,
            "items": items,
            "early": early,
            **summary(some),
        }


def batches(
    random: np.random.Generator,
    runs: int,
    kind: Kind,
    items: int,
    threshold: float,
    discordance: float,
    loss: float,
) -> Iterator[Batch]:
    """Runs in portions that fit into memory."""
    for begin in range(0, runs, CHUNK):
        totals = kind.draw(random, min(CHUNK, runs - begin), items, discordance, loss)
        yield Batch(totals, kind.cluster, threshold)


def summary(parts: list[Outcomes]) -> dict[str, Any]:
    """Shares of verdicts, mean items and their share of the largest number."""
    whole = Outcomes(np.concatenate([part.verdicts for part in parts]), np.concatenate([part.items for part in parts]))
    return {
        "runs": len(whole.verdicts),
        "pass": round(whole.share(PASS), 5),
        "fail": round(whole.share(FAIL), 5),
        "inconclusive": round(whole.share(INCONCLUSIVE), 5),
        "mean_items": round(float(whole.items.mean()), 2),
    }


def _retried(batch: Batch, items: Sequence[int]) -> Outcomes:
    """What must not be done: the whole alpha again after every extension."""
    verdicts = np.full(len(batch.totals), INCONCLUSIVE)
    for count in items:
        passed = batch.upper(-(-count // batch.size)) <= ALPHA
        verdicts[passed] = PASS
    return Outcomes(verdicts, np.full(len(verdicts), items[-1]))


def extensions(random: np.random.Generator, runs: int) -> Iterator[dict[str, Any]]:
    """False PASS where more items are added until it passes, and with several looks; at a loss of the threshold."""
    start = 100
    counts = (100, 150, 200, 300, 400, 500)
    for kind in KINDS:
        for threshold in (0.05, 0.1):
            for wanted in DISCORDANCES:
                discordance = kind.discordance(wanted, threshold)
                if discordance is None:
                    continue
                plans = {"planned looks 100, 200, 300, 400, 500": Plan(500, (100, 200, 300, 400, 500))}
                extended = Plan(start, reserve=0.2)
                for count in counts[1:]:
                    extended = extended.extended(count)
                plans["extended until it passes, from a reserve of 20 %"] = extended
                parts: dict[str, list[Outcomes]] = {}
                for batch in batches(random, runs, kind, counts[-1], threshold, discordance, threshold):
                    for name, plan in plans.items():
                        parts.setdefault(name, []).append(judge_many(batch, plan))
                    naive = "extended until it passes, all of alpha each time (what must not be done)"
                    parts.setdefault(naive, []).append(_retried(batch, counts))
                for name, some in parts.items():
                    yield {
                        "how": name,
                        "kind": kind.name,
                        "threshold": threshold,
                        "discordance": round(discordance, 4),
                        **summary(some),
                    }


BLEND = (
    ("no loss, 3 % of items change", 6, 0.0, 0.03),
    ("no loss, 10 % of items change", 2, 0.0, 0.1),
    ("half the threshold", 2, 0.5, 0.1),
    ("three times the threshold", 3, 3.0, 0.15),
    ("a collapse by 40 points", 3, 8.0, 0.4),
)
"""Sixteen cells of a release, binary scores, threshold 0.05: the paper's picture, where most cells hold and those whose
answers need many facts do not. Name, number of cells, loss in thresholds, discordance."""


def blend(random: np.random.Generator, runs: int) -> list[dict[str, Any]]:
    """Items that a release takes when cells may stop early, of those planned."""
    threshold, rows = 0.05, []
    for items in (100, 200):
        plans = {
            "one look, early FAIL": Plan(items),
            "looks at 1/2 and 1, early FAIL": Plan(items, (items // 2, items)),
            "one look, no early FAIL": Plan(items, early_fail=False),
        }
        for how, plan in plans.items():
            used, cells = 0.0, []
            for name, number, times, discordance in BLEND:
                some = [
                    judge_many(batch, plan)
                    for batch in batches(random, runs, KINDS[0], items, threshold, discordance, times * threshold)
                ]
                found = summary(some)
                used += number * found["mean_items"]
                cells.append({"cell": name, "number": number, **found})
            share = used / (items * sum(number for _, number, _, _ in BLEND))
            rows.append({"how": how, "items": items, "used": round(share, 4), "cells": cells})
    return rows


MIX = {"a": 0.70, "b": 0.20, "c": 0.06, "d": 0.04}
MIX_LATTICE = 2**12


@dataclass(frozen=True)
class MixPoint:
    """Losses and discordances of the groups of a mix; the mix's loss follows.

    Attributes:
        threshold: of each group's cell, which decides where it stops.

    """

    name: str
    losses: tuple[float, ...]
    discordances: tuple[float, ...]
    items: int
    threshold: float = 0.05


MIXES = (
    MixPoint("one loss for all", (0.04,) * 4, (0.1,) * 4, 100),
    MixPoint("one loss for all, every change a loss", (0.04,) * 4, (0.04,) * 4, 100),
    MixPoint("the small groups collapse", (0.0,) * 2 + (0.4, 0.4), (0.03, 0.03, 0.4, 0.4), 100),
    MixPoint("the largest group holds, the others lose", (0.01, 0.09, 0.15, 0.15), (0.03, 0.12, 0.2, 0.2), 100),
    MixPoint("one loss for all, few items", (0.1,) * 4, (0.15,) * 4, 40, 0.1),
    MixPoint("two groups stop early at a loss near theirs", (0.04, 0.12, 0.12, 0.12), (0.06, 0.14, 0.14, 0.14), 200),
    MixPoint("one loss for all, many items", (0.01,) * 4, (0.012,) * 4, 420, 0.01),
    MixPoint("one loss for all, most items", (0.02,) * 4, (0.03,) * 4, 1000, 0.02),
)


class MixJudge:
    """Whether mixes of binary cells PASS, with what runs have in common computed once."""

    def __init__(self, plan: Plan | None, lattice: int = MIX_LATTICE) -> None:
        self.plan = plan
        self.lattice = lattice
        self._spectra: dict[tuple[object, ...], npt.NDArray[np.complex128]] = {}

    def upper(self, groups: Sequence[Floats]) -> float:
        """Upper limit of the mix, from the differences of each group."""
        spectra = [self._spectrum(values, weight) for values, weight in zip(groups, MIX.values(), strict=True)]
        return quantile(spectra, list(MIX.values()), ALPHA, self.lattice)

    def _spectrum(self, values: Floats, weight: float) -> npt.NDArray[np.complex128]:
        key = (weight, len(values), int((values > 0).sum()), int((values < 0).sum()))
        if key not in self._spectra:
            belief = group_belief(values, np.ones_like(values), self.plan)
            self._spectra[key] = spectrum(belief, weight, self.lattice)
        return self._spectra[key]


def mixes(random: np.random.Generator, runs: int) -> Iterator[dict[str, Any]]:
    """False PASS of the mix at a loss that equals its threshold, where its cells stop as their verdicts fall."""
    for point in MIXES:
        loss = float(np.dot(list(MIX.values()), point.losses))
        for early in (False, True):
            plan = Plan(point.items, early_fail=early)
            judge = MixJudge(plan if early else None)
            passed, safe, stopped = 0, 0, 0
            drawn = [
                KINDS[0].draw(random, runs, point.items, discordance, each)
                for each, discordance in zip(point.losses, point.discordances, strict=True)
            ]
            ends = [
                Batch(values, 1, point.threshold).stops + 1 if early else np.full(runs, point.items) for values in drawn
            ]
            for run in range(runs):
                groups = [values[run, : min(end[run], point.items)] for values, end in zip(drawn, ends, strict=True)]
                upper = judge.upper(groups)
                passed += upper <= loss
                safe += upper <= 2 * loss
                stopped += any(end[run] < point.items for end in ends)
            yield {
                "mix": point.name,
                "loss": round(loss, 5),
                "items": point.items,
                "early": early,
                "runs": runs,
                "pass": round(passed / runs, 5),
                "pass_at_twice": round(safe / runs, 5),
                "stopped": round(stopped / runs, 4),
            }
