"""A cell judged while it runs: batch by batch, the same verdict as all items at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_sparsetol.result import points
from pytest_sparsetol.statistics.betting import Bets, average, gains
from pytest_sparsetol.statistics.decision import Decision, judge
from pytest_sparsetol.statistics.errors import EvidenceError
from pytest_sparsetol.statistics.limits import lower_limit, upper_limit
from pytest_sparsetol.statistics.outlook import describe, items_to_decide
from pytest_sparsetol.statistics.plan import Plan
from pytest_sparsetol.statistics.planning import EARLY, check_gate
from pytest_sparsetol.statistics.sample import Floats, check_differences, merge


class Sequential:
    """Takes differences in the order run and says as soon as the verdict is certain.

    Early FAIL asks for a wealth of 1 / alpha won against a mean at most the threshold, and of 10 / alpha against a mean
    at most 0: with the last look's lower limit at 0.9 alpha, a model without loss fails with probability at most alpha
    although two tests could fail it.

    The verdict depends on the order of the items alone, not on how they were cut into batches: items of a batch that
    come after the one that decided are not used. A cluster counts when it is complete, which is when the next one
    begins or the plan ends; its items must follow each other.

    Args:
        threshold: allowed mean loss, a fraction in (0, 1].
        plan: looks and largest number of items.
        confidence: of the verdicts, and of each one-sided limit where there is one look.

    """

    def __init__(self, threshold: float, plan: Plan, confidence: float = 0.95) -> None:
        check_gate(threshold, confidence)
        self.threshold = threshold
        self.plan = plan
        self.alpha = 1 - confidence
        self.decision: Decision | None = None
        self._items = 0
        self._totals: list[float] = []
        self._sizes: list[float] = []
        self._names: set[str] = set()
        self._open: str | None = None
        self._bets = Bets()
        self._log_wealths = np.zeros((2, 1, 1))
        self._judged = 0

    def update(self, differences: Sequence[float], clusters: Sequence[str] | None = None) -> Decision | None:
        """Take the next items; return the decision once there is one, and the same one from then on.

        Raises:
            EvidenceError: a difference outside [-1, 1], lengths that differ, more items than planned, or a cluster
                that comes back after another one.

        """
        if len(differences) == 0 or self.decision is not None:
            return self.decision
        values = check_differences(differences, clusters)
        if self._items + len(values) > self.plan.items:
            raise EvidenceError(f"{self._items + len(values)} items, but the plan ends after {self.plan.items}")
        for place, value in enumerate(values):
            self._take(float(value), clusters[place] if clusters is not None else None)
        complete = len(self._totals) if self._closed() else len(self._totals) - 1
        if complete > self._judged:
            self._judge(self._judged, complete)
        return self.decision

    def conclude(self) -> Decision:
        """The decision, or what is known when a run ends before its plan: INCONCLUSIVE, with limits that hold anyway.

        Raises:
            EvidenceError: no items.

        """
        if self.decision is not None:
            return self.decision
        if not self._items:
            raise EvidenceError("no differences: a verdict needs at least one item")
        bets = Bets()
        bets.add(np.array(self._totals), np.array(self._sizes))
        reason = f"{self._items} of {self.plan.items} planned items ran and did not decide"
        return self._stopped("INCONCLUSIVE", bets, len(self._totals), reason)

    def _take(self, value: float, name: str | None) -> None:
        self._items += 1
        if name is not None and name == self._open:
            self._totals[-1] += value
            self._sizes[-1] += 1
            return
        if name is not None and name in self._names:
            raise EvidenceError(f"cluster {name!r} comes back after other items; clusters enter whole")
        if name is not None:
            self._names.add(name)
        self._open = name
        self._totals.append(value)
        self._sizes.append(1.0)

    def _closed(self) -> bool:
        return self._open is None or self._items == self.plan.items

    def _judge(self, begin: int, end: int) -> None:
        """Judge clusters `begin` to `end`, which are complete, one after the other."""
        totals, sizes = np.array(self._totals[begin:end]), np.array(self._sizes[begin:end])
        reached = np.cumsum(sizes) + sum(self._sizes[:begin])
        scaled = self._bets.add(totals, sizes)
        # Against "at most the threshold", and against "no loss": a FAIL must be wrong about neither.
        won = np.stack([gains(*scaled, mean) for mean in (self.threshold, 0.0)])
        log_wealths = self._log_wealths + np.cumsum(won, axis=1)
        self._log_wealths = log_wealths[:, -1:]
        self._judged = end
        excess, loss = average(log_wealths)
        certain = (excess >= -np.log(self.alpha)) & (loss >= -np.log(self.alpha * EARLY)) & self.plan.early_fail
        crossed = np.flatnonzero(certain)
        first = int(crossed[0]) if len(crossed) else end - begin
        before = reached[0] - sizes[0]
        for look, share in zip(self.plan.looks, self.plan.shares, strict=True):
            if not before < look <= reached[-1]:
                continue
            # The look takes place where the cluster ends that holds its last item.
            place = int(np.searchsorted(reached, look))
            if place >= first:
                break
            self.decision = self._look(begin + place + 1, look, share)
            if self.decision is not None:
                return
        if first < end - begin:
            bets = self._bets.truncated(begin + first + 1)
            self.decision = self._stopped("FAIL", bets, begin + first + 1, "")

    def _look(self, clusters: int, look: int, share: float) -> Decision | None:
        sample = merge(np.array(self._totals[:clusters]), np.array(self._sizes[:clusters]))
        alpha, items = self.alpha * share, int(sample.items)
        late = alpha * self.plan.late
        upper = upper_limit(sample, alpha)
        if look not in self.plan.ends and upper > self.threshold:
            return None
        decision = judge(
            sample.mean,
            lower_limit(sample, late),
            upper,
            self.threshold,
            items,
            lambda: describe(items_to_decide(sample, self.threshold, alpha, late), sample.mean, self.threshold, items),
        )
        undecided = decision.verdict == "INCONCLUSIVE" and look != self.plan.items
        return None if undecided else decision

    def _stopped(self, verdict: str, bets: Bets, clusters: int, reason: str) -> Decision:
        """A decision between looks, where only the limits of `betting` hold."""
        items = int(sum(self._sizes[:clusters]))
        mean = sum(self._totals[:clusters]) / items
        lower, upper = bets.lower_limit(self.alpha), bets.upper_limit(self.alpha)
        if verdict == "FAIL":
            reason = (
                f"at least {points(lower)} points are lost, allowed are {points(self.threshold)}; "
                f"certain after {items} of {self.plan.items} items"
            )
            return Decision("FAIL", mean, lower, upper, items, reason)
        return Decision("INCONCLUSIVE", mean, lower, upper, items, reason)


def together(values: Floats, clusters: Sequence[str]) -> tuple[Floats, list[str]]:
    """Items with those of a cluster brought together, clusters in the order of their first items."""
    places: dict[str, int] = {}
    index = np.array([places.setdefault(name, len(places)) for name in clusters])
    order = np.argsort(index, kind="stable")
    return values[order], [clusters[place] for place in order]
