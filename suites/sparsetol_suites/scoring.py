"""From a model's reply to a score: find the answer in it, then compare.

Each scorer takes the reference answers and the answer's text and gives a `Score`; `SCORERS` names those that a suite
may choose. What holds no answer counts 0 and is reported as missing.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from sparsetol_suites.item import MISSING, Score

Scorer = Callable[[Sequence[str], str], Score]

_TAG = re.compile(r"<answer>(.*?)</answer>", flags=re.DOTALL | re.IGNORECASE)
_MARKER = re.compile(r"\b(?:final\s+)?answer(?:s|\(s\))?\s*(?:is|are)?\s*:", flags=re.IGNORECASE)
_DECORATION = "*_`#> \t"


def find_answer(reply: str, *, tagged: bool) -> str | None:
    """The part of a reply that is the answer, None where there is none.

    The last `<answer>...</answer>` counts; where replies need not be tagged, else what follows the last `Answer:`,
    else the whole reply.
    """
    tags = _TAG.findall(reply)
    if tags:
        found = str(tags[-1])
    elif tagged:
        return None
    else:
        markers = list(_MARKER.finditer(reply))
        found = reply[markers[-1].end() :] if markers else reply
    found = found.strip().strip(_DECORATION).strip()
    return found or None


def words(text: str) -> list[str]:
    """Lower-case words without punctuation and articles, as question answering compares them.

    Source: the evaluation of SQuAD, Rajpurkar et al. 2016, arXiv 1606.05250.
    """
    plain = "".join(" " if character in string.punctuation else character for character in text.lower())
    return [word for word in plain.split() if word not in {"a", "an", "the"}]


def f1(answers: Sequence[str], text: str) -> Score:
    """Best F1 of shared words over the alternatives in `answers`."""
    found = Counter(words(text))
    if not found:
        return MISSING
    best = 0.0
    for answer in answers:
        wanted = Counter(words(answer))
        shared = (found & wanted).total()
        if shared:
            best = max(best, 2 * shared / (found.total() + wanted.total()))
    return Score(best)


def contains(answers: Sequence[str], text: str) -> Score:
    """1 where the words of one of the alternatives stand in the text, in order and side by side."""
    found = words(text)
    if not found:
        return MISSING
    spaced = f" {' '.join(found)} "
    return Score(float(any(f" {' '.join(words(answer))} " in spaced for answer in answers if words(answer))))


SCORERS: dict[str, Scorer] = {"f1": f1, "contains": contains}
