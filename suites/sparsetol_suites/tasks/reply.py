"""The answer in a reply that may also hold a reason, and what it is worth."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scorers import scorer_named
from sparsetol_suites.scoring import find_answer

_OF_ONE_LINE = frozenset({"f1", "exact"})
"""Scorers for which every word too many counts."""


def score_reply(scorer: str, answers: Sequence[str], reply: str, *, tagged: bool, reason: bool = False) -> Score:
    """What a scorer says of a reply.

    Args:
        scorer: its name.
        answers: the reference.
        reply: all that the model wrote.
        tagged: whether an answer without tags is none.
        reason: whether a reason was asked for.

    """
    text = (
        short_answer(reply, tagged=tagged, reason=reason)
        if scorer in _OF_ONE_LINE
        else find_answer(reply, tagged=tagged)
    )
    return MISSING if text is None else scorer_named(scorer)(answers, text)


def short_answer(reply: str, *, tagged: bool, reason: bool) -> str | None:
    """All that is tagged where tags are needed, else one line of the answer; None where there is none.

    A reason without a marked answer ends with the answer, if it has one: its last line counts.
    """
    text = find_answer(reply, tagged=tagged)
    if text is None or tagged:
        return text
    marked = re.sub(r"\W", "", text) != re.sub(r"\W", "", reply)
    return text.splitlines()[-1 if reason and not marked else 0]
