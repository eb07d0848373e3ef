"""What is right: alternatives, or letters of choices."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sparsetol_suites.records import checks
from sparsetol_suites.records.fields import Fields
from sparsetol_suites.records.question import LETTERS
from sparsetol_suites.records.rows import Row, kind_of


def alternatives(row: Row, fields: Fields) -> tuple[str, ...]:
    """The texts of all answer fields, each once; the first field must be there, others may be empty."""
    found: list[str] = []
    for place, path in enumerate(fields.answers):
        value = checks.need(row, path) if place == 0 else checks.find(row, path)
        if isinstance(value, str):
            found.append(checks.as_text(row, path, value))
        elif place == 0 or (value is not checks.ABSENT and value is not None and value != []):
            entries = checks.entries(row, path, value)
            found += [checks.as_text(row, f"{path}[{number}]", entry) for number, entry in enumerate(entries)]
    return tuple(dict.fromkeys(found))


def choices(row: Row, fields: Fields) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The options and the letters of the right ones, in order; at least one is right.

    Raises an error of the row for fewer than two options or more than four, and for answers that name none of them.
    """
    options = checks.texts(row, fields.options)
    if not 2 <= len(options) <= len(LETTERS):
        raise row.error(f"{fields.options}: {len(options)} choices; there can be 2 to {len(LETTERS)}")
    if len(set(options)) < len(options):
        raise row.error(f"{fields.options}: the same choice stands twice")
    right = _flagged(row, fields.flags, len(options)) if fields.flags else _named(row, fields, options)
    return options, tuple(letter for letter, true in zip(LETTERS, right, strict=False) if true)


def _flagged(row: Row, path: str, count: int) -> list[bool]:
    flags = checks.entries(row, path, checks.need(row, path))
    if len(flags) != count or any(flag not in (0, 1) for flag in flags):
        raise row.error(f"{path}: needs true or false (1 or 0) for each of the {count} choices")
    if not any(flags):
        raise row.error(f"{path}: no choice is right")
    return [bool(flag) for flag in flags]


def _named(row: Row, fields: Fields, options: Sequence[str]) -> list[bool]:
    path = fields.answers[0]
    value = checks.need(row, path)
    named = checks.entries(row, path, value) if isinstance(value, list | tuple) else [value]
    letters = LETTERS[: len(options)]
    right = [False] * len(options)
    for answer in named:
        if isinstance(answer, int) and not isinstance(answer, bool):
            place = answer - fields.first_option
            if not 0 <= place < len(options):
                raise row.error(f"{path}: {answer} is the number of none of the {len(options)} choices")
            right[place] = True
        elif not isinstance(answer, str):
            raise row.error(f"{path}: {kind_of(answer)} found where a letter or number of a choice is needed")
        elif answer in options:
            right[options.index(answer)] = True
        elif set(bare := re.sub(r"[\s,]", "", answer)) <= set(letters) and bare:
            for letter in bare:
                right[LETTERS.index(letter)] = True
        else:
            raise row.error(f"{path}: {answer!r} is none of the letters {letters} and none of the choices")
    return right


def guessed(answers: Sequence[Sequence[str]]) -> float:
    """Mean score of answering yes or no at random where that is what is right; other phrases are not guessed.

    Args:
        answers: the alternatives of each record.

    """
    polar = sum(any(answer.lower() in {"yes", "no"} for answer in alternatives) for alternatives in answers)
    return polar / 2 / len(answers)


def median_tokens(answers: Sequence[Sequence[str]]) -> int:
    """Tokens of the median record's shortest alternative, at about 1.3 a word."""
    counts = sorted(min(len(alternative.split()) for alternative in alternatives) for alternatives in answers)
    return round(1.3 * counts[len(counts) // 2])
