"""Patterns with words in braces."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from random import Random

_SLOT = re.compile(r"\{(\w+)\}")
_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeiou]|honest\b)")


def fill(pattern: str, words: Mapping[str, tuple[str, ...]], rng: Random) -> str:
    """The pattern with a word of its list in each place, and `an` where a vowel follows."""
    filled = _SLOT.sub(lambda slot: rng.choice(words[slot[1]]), pattern)
    return _BEFORE_VOWEL.sub(r"\1n ", filled)


def names(pattern: str, words: Mapping[str, tuple[str, ...]]) -> int:
    """How many different texts `fill` can make."""
    return math.prod(len(words[slot]) for slot in _SLOT.findall(pattern))


def put(pattern: str, values: Mapping[str, str]) -> tuple[str, int]:
    """The pattern with the values put in, and where `{value}` begins in it; -1 where it has none."""
    start = -1
    parts: list[str] = []
    done = size = 0
    for slot in _SLOT.finditer(pattern):
        for part in (pattern[done : slot.start()], values[slot[1]]):
            if part is values[slot[1]] and slot[1] == "value":
                start = size
            parts.append(part)
            size += len(part)
        done = slot.end()
    parts.append(pattern[done:])
    return "".join(parts), start
