"""Letters of a multiple-choice question."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scoring.answer import find_answer

_LETTER = r"(?<![\w'\u2019])[A-D](?!-?\w|['\u2019])"
_JOINT = r"[\s,;/&+*_)(\]\[]*(?:\b(?:and|or)\b)?[\s,;/&+*_)(\]\[]*"
_RUN = rf"{_LETTER}(?:{_JOINT}{_LETTER})*"
# An article is followed by a word that is none of those that follow a letter.
_ARTICLE = re.compile(r"(?<![\w'\u2019])A(?=\s+(?!(?:and|or|is|as|because|since|but)\b)[a-z])")
_LEAD = re.compile(rf"[\s*_(\[`\"\u201c-]*({_RUN})")
_VERDICT = re.compile(
    rf"\b(?i:(?:answers?|options?|choices?|letters?)\s+(?:is|are|would\s+be|should\s+be))\b[\s:*_(\[]*({_RUN})"
)
_ALONE = re.compile(r"[\s*_(\[]*([a-d]|[A-D]{2,4})[\s*_)\].,:]*")


def letters(text: str) -> frozenset[str]:
    """The letters A to D that an answer chooses, none where it chooses none.

    In this order: a lone small letter, or capitals run together; letters that the first lines begin with, such as
    `B. Vitamin A`; letters after `the answer is`; any letters that stand alone. The word `A` of a sentence is none.
    """
    found = find_answer(text, tagged=False) or ""
    alone = _ALONE.fullmatch(found)
    if alone:
        return frozenset(alone[1].upper())
    found = _ARTICLE.sub("", found)
    leads = itertools.takewhile(bool, map(_LEAD.match, found.splitlines()))
    chosen = [match[1] for match in leads if match]
    chosen = chosen or [match[1] for match in _VERDICT.finditer(found)][-1:] or [found]
    return frozenset(letter for part in chosen for letter in re.findall(_LETTER, part))


def choice(answers: Sequence[str], text: str) -> Score:
    """1 where the letters chosen, from A to D, are exactly those in `answers`: of several right ones all are needed.

    Departure from The Sparse Frontier, arXiv 2504.17768, whose parser keeps every such letter of the reply: here
    `Answer: C` chooses C alone.
    """
    found = letters(text)
    return Score(float(found == {answer.strip().upper() for answer in answers})) if found else MISSING
