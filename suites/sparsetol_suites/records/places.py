"""Where an answer stands in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable


def find_first(answers: Iterable[str], text: str) -> tuple[int, int] | None:
    """Start and end of the first place of the first answer that occurs, as it is written or else in any case.

    None where none of them occurs.
    """
    for answer in answers:
        start = text.find(answer)
        if start >= 0:
            return start, start + len(answer)
        match = re.search(re.escape(answer), text, flags=re.IGNORECASE)
        if match:
            return match.span()
    return None
