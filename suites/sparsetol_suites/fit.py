"""Prompts of a declared length: find how much filler brings a prompt to 95 to 100 % of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sparsetol_suites.errors import LengthError
from sparsetol_suites.item import Draft, TokenCounter

LEAST = 0.95
AIM = 0.985
"""Nearer to the upper limit than to the lower: estimates err less than that in nearly all cases."""

PROBE = 1 / 8
PROBE_TOKENS = 1000
"""The first probe: a fraction of the length, but so many tokens more than no filler that it tells a unit's tokens."""

TRIES = 40


class _Probe(NamedTuple):
    units: int
    tokens: int


def fit(
    build: Callable[[int], Draft], length: int, counter: TokenCounter, *, least: int = 1, most: int | None = None
) -> Draft:
    """The draft of `build(units)` whose prompt has 95 to 100 % of `length` tokens.

    The first probe tells the tokens of a unit at a fraction of the length, the second is right in nearly all cases:
    counting 128k tokens takes most of a second, so that long prompts must not be counted often.

    Args:
        build: makes the same draft for the same number of units; tokens grow about evenly with units.
        length: tokens of the whole prompt.
        counter: of the model under test.
        least: fewest units that make sense.
        most: most units there are, where they are limited.

    Raises:
        LengthError: the shortest draft is too long, the longest too short, or units are too coarse.

    """
    draft = build(least)
    first = low = _Probe(least, counter.prompt(draft.message))
    high: _Probe | None = None
    if low.tokens > length:
        raise LengthError(f"the shortest prompt has {low.tokens} tokens, more than {length}")
    for _ in range(TRIES):
        if low.tokens >= LEAST * length:
            return draft
        goal = AIM * length
        if low == first and high is None:
            goal = min(goal, max(goal * PROBE, low.tokens + PROBE_TOKENS))
        units = low.units + max(1, round((goal - low.tokens) / _slope(first, low, high)))
        if high is not None:
            units = min(units, high.units - 1)
        if most is not None:
            units = min(units, most)
        if units <= low.units:
            break
        draft = build(units)
        found = _Probe(units, counter.prompt(draft.message))
        if found.tokens > length:
            high = found
        else:
            low = found
    if high is None:
        raise LengthError(f"all there is makes {low.tokens} tokens, fewer than {LEAST:.0%} of {length}")
    raise LengthError(f"no prompt of {LEAST:.0%} to 100 % of {length} tokens: {low.tokens} and {high.tokens} are next")


def _slope(first: _Probe, low: _Probe, high: _Probe | None) -> float:
    """Tokens of a unit."""
    if high is not None:
        return max(1, high.tokens - low.tokens) / (high.units - low.units)
    if low.units > first.units:
        return max(1, low.tokens - first.tokens) / (low.units - first.units)
    # Instructions counted in: too much, so that the next probe falls short.
    return low.tokens / max(1, low.units)
