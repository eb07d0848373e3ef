"""Counts the words of a list."""

from __future__ import annotations

import re
from collections import Counter


def solve(message: str) -> set[str]:
    wanted = int(re.findall(r"Which (\d+) words", message)[-1])
    paragraphs = message.split("\n\n")
    listed = max(paragraphs, key=len)
    counts = Counter(re.findall(r"[a-z]+", listed))
    ranked = counts.most_common(wanted + 1)
    assert ranked[wanted - 1][1] > ranked[wanted][1], "more than one answer"
    return {word for word, _ in ranked[:wanted]}
