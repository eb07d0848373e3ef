"""Which levels of many ascending sequences are shown safe, all claims together at one confidence.

Within a sequence the levels are tested in a fixed order, each at the sequence's whole share of alpha, until the first
one that is not shown (W. Maurer, L. Hothorn and W. Lehmacher 1995, "Multiple comparisons in drug clinical trials and
preclinical assays: a-priori ordered hypotheses"). Across sequences alpha is split as Holm does (S. Holm 1979, Scand. J.
Statist. 6, 65-70): with m sequences of which c are shown to their last level, each other one has alpha / (m - c). It is
the graphical procedure of F. Bretz, W. Maurer, W. Brannath and M. Posch 2009 (Stat. Med. 28, 586-604) in which a
sequence hands its share on only from its end.

Why it holds: call u the number of sequences with an unsafe level; each has a first one, which does not depend on the
data. Before the first false claim no such sequence is complete, so c <= m - u and every share is at most alpha / u.
The first false claim is therefore one of u fixed tests at alpha / u or less: some claim is false with probability at
most alpha, however the sequences depend on each other (they share items), and in whatever order they run. A level that
stopped early because it looked hopeless counts as not shown, which only removes claims; so do levels never run. A level
that was not shown at first may be shown once its share has grown: its p-value stays what it was, nothing is run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """What is shown of one sequence.

    Attributes:
        levels: how many of its levels are shown safe, from the lowest on.
        alpha: the share of alpha that its levels were last tested with.

    """

    levels: int
    alpha: float


def shown_safe(p_values: Sequence[Sequence[float]], lengths: Sequence[int], alpha: float) -> list[Claim]:
    """The claims that all hold at once with probability 1 - `alpha` at least.

    Args:
        p_values: per sequence, of "the loss at this level is at least the threshold", lowest level first; levels that
            were not run are left out at the end.
        lengths: number of levels of each sequence, as planned; a sequence is complete when all of them are shown.
        alpha: for all claims together, in (0, 1).

    """
    shown = [0] * len(p_values)
    shares = [0.0] * len(p_values)
    while True:
        open_ones = [place for place, count in enumerate(shown) if count < lengths[place]]
        for place in open_ones:
            shares[place] = alpha / len(open_ones)
        more = {place: _leading(p_values[place], shares[place]) for place in open_ones}
        if all(more[place] == shown[place] for place in open_ones):
            return [Claim(count, share) for count, share in zip(shown, shares, strict=True)]
        for place, count in more.items():
            shown[place] = count


def _leading(p_values: Sequence[float], alpha: float) -> int:
    """How many of the first p-values are at most `alpha`."""
    return next((place for place, value in enumerate(p_values) if value > alpha), len(p_values))
