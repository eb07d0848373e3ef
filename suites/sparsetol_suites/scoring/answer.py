"""The part of a reply that is the answer."""

from __future__ import annotations

import re

_TAG = re.compile(r"<answer>(.*?)</answer>", flags=re.DOTALL | re.IGNORECASE)
_MARKER = re.compile(r"\b(?:final\s+)?answer(?:s|\(s\))?\s*(?:is|are)?\s*[*_]*\s*:", flags=re.IGNORECASE)
_DECORATION = "*_`#> \t\r\n"


def find_answer(reply: str, *, tagged: bool) -> str | None:
    """The part of a reply that is the answer, None where there is none.

    The last `<answer>...</answer>` counts; where replies need not be tagged, else what follows the last `Answer:`,
    else the whole reply.

    Args:
        reply: all that the model wrote.
        tagged: whether an answer without tags is none.

    """
    tags = _TAG.findall(reply)
    if tags:
        found = str(tags[-1])
    elif tagged:
        return None
    else:
        markers = list(_MARKER.finditer(reply))
        found = reply[markers[-1].end() :] if markers else reply
    return found.strip(_DECORATION) or None
