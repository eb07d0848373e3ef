"""The short answer in a reply that may also hold a reason."""

from __future__ import annotations

import re

from sparsetol_suites.scoring import find_answer


def short_answer(reply: str, *, tagged: bool, reason: bool) -> str | None:
    """What is to be compared: all that is tagged, else one line; None where there is none.

    Args:
        reply: all that the model wrote.
        tagged: whether an answer without tags is none.
        reason: whether a reason was asked for; without a marked answer, the last line is the answer then.

    """
    text = find_answer(reply, tagged=tagged)
    if text is None or tagged:
        return text
    marked = re.sub(r"\W", "", text) != re.sub(r"\W", "", reply)
    return text.splitlines()[-1 if reason and not marked else 0]
