"""What a cell declares before its first item: how many items at most, and at which counts it may PASS."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from pytest_sparsetol.statistics.errors import EvidenceError
from pytest_sparsetol.statistics.planning import LATE

SPENDING = 3.0
"""Power of the spending function: by a share t of the items, t ** 3 of alpha is spent (Kim and DeMets 1987)."""


@dataclass(frozen=True)
class Plan:
    """The looks of a cell. By default one look at the end, and FAIL as soon as it is certain.

    The error that a cell may make is split over its looks: at each, the limit that must not exceed the threshold has
    its share of alpha, so that the looks together err no more often than one would. More items than planned are one
    more look, paid from what the plan kept in reserve; without a reserve nothing is left that could buy a PASS.

    Attributes:
        items: the largest number of items.
        looks: numbers of items after which the cell may PASS, ascending; the last is `items`. With clusters a look
            waits for the end of the cluster.
        shares: share of alpha of each look; they sum to at most 1. By default a power of the looks' shares of items.
        ends: looks after which the cell may FAIL for want of more items: the last, and those that were the last.
        early_fail: whether the anytime-valid test may end the cell between looks.
        reserve: share of alpha kept back for extensions; read when `shares` are not given.

    """

    items: int
    looks: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()
    ends: tuple[int, ...] = ()
    early_fail: bool = True
    reserve: float = 0.0

    def __post_init__(self) -> None:
        # Lists are welcome: a plan is stored with its run as JSON.
        looks = tuple(self.looks) or (self.items,)
        _check_looks(self.items, looks)
        if not 0 <= self.reserve < 1:
            raise EvidenceError(f"reserve {self.reserve!r} is not a share of alpha, from 0 to below 1")
        shares = tuple(self.shares) or _spend(looks, 1 - self.reserve)
        if len(shares) != len(looks):
            raise EvidenceError(f"{len(looks)} looks but {len(shares)} shares of alpha; one a look")
        if not all(share > 0 for share in shares) or math.fsum(shares) > 1 + 1e-9:
            raise EvidenceError(f"shares of alpha {list(shares)} must be above 0 and sum to at most 1")
        ends = tuple(self.ends) or (self.items,)
        if not set(ends) <= set(looks) or ends[-1] != self.items:
            raise EvidenceError(f"ends {list(ends)} must be looks, the last of them {self.items}")
        object.__setattr__(self, "looks", looks)
        object.__setattr__(self, "shares", shares)
        object.__setattr__(self, "ends", ends)

    @property
    def late(self) -> float:
        """Share of alpha that early FAIL leaves to the looks where both could make the same error."""
        return LATE if self.early_fail else 1.0

    @property
    def left(self) -> float:
        """Share of alpha that no look spends."""
        return max(0.0, 1 - math.fsum(self.shares))

    def extended(self, items: int) -> Plan:
        """The plan with one more look after `items` items in all, which spends half of the alpha that is left.

        Raises:
            EvidenceError: nothing is left, or no items are added.

        """
        if items <= self.items:
            raise EvidenceError(f"an extension to {items} items adds none to the {self.items} planned")
        if self.left < 1e-6:
            raise EvidenceError(
                "the looks of this plan spend all of alpha, so that more items cannot PASS; "
                "plan more items or a reserve before the first item runs"
            )
        return Plan(
            items,
            (*self.looks, items),
            (*self.shares, self.left / 2),
            (*self.ends, items),
            self.early_fail,
        )


def _check_looks(items: int, looks: tuple[int, ...]) -> None:
    if items < 1:
        raise EvidenceError(f"a plan of {items} items has nothing to judge")
    if looks[0] < 1 or any(after <= before for before, after in itertools.pairwise(looks)):
        raise EvidenceError(f"looks {list(looks)} are not ascending numbers of items")
    if looks[-1] != items:
        raise EvidenceError(f"the last look is after {looks[-1]} items, the plan ends after {items}")


def _spend(looks: tuple[int, ...], share: float) -> tuple[float, ...]:
    spent = [share * (look / looks[-1]) ** SPENDING for look in looks]
    return tuple(after - before for before, after in itertools.pairwise([0.0, *spent]))
