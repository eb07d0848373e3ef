"""Entries of a list in a reply."""

from __future__ import annotations

import re

_MARK = re.compile(r"[\s\-*•#>_`(\[]*(\d{1,4})[\s*_`]*[.):\]]+[*_`]*(?:\s+|$)")
_BULLET = re.compile(r"^[\s\-*•#>_`]+")
_CLOSING = " \t.,;*_`"


def numbered(text: str) -> dict[int, str]:
    """Numbered entries by number, such as `1. red` or `**2)** blue`; the first of a number counts.

    An entry starts on a line of its own, or within a line where its number is the next one.
    """
    found: dict[int, str] = {}
    for line in text.splitlines():
        mark = _MARK.match(line)
        while mark is not None:
            number, rest = int(mark[1]), line[mark.end() :]
            following = re.search(rf"(?<=[\s,;])[*_`(\[]*{number + 1}[*_`]*[.):\]]+[*_`]*\s+(?=\S)", rest)
            found.setdefault(number, (rest[: following.start()] if following else rest).strip(_CLOSING))
            line = rest[following.start() :] if following else ""
            mark = _MARK.match(line)
    return found


def lines(text: str) -> list[str]:
    """Lines that say something, without bullets, decoration and closing punctuation."""
    bare = (_BULLET.sub("", line).strip(_CLOSING) for line in text.splitlines())
    return [line for line in bare if line]
