"""A team's own requests: whole prompts, or questions about documents, with what is right and how it is scored."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import cast

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.located_yaml import nearest
from sparsetol_suites.records import checks
from sparsetol_suites.records.answers import alternatives
from sparsetol_suites.records.fields import Fields
from sparsetol_suites.records.question import LETTERS, Question
from sparsetol_suites.records.questions import Documents
from sparsetol_suites.records.rows import Row
from sparsetol_suites.task import Level

MARK = "{filler}"
"""Where filler goes in a prompt."""

_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class Request:
    """One record.

    Attributes:
        row: for errors.
        id: the record's own.
        prompt: as it is served, perhaps with `{filler}` in some places; empty where there is a question.
        question: about a document; None where there is a prompt.
        answers: what the scorer compares with.
        scorer: name of the scorer; None where the record leaves it to the suite.
        group: None where the record leaves it to the suite.
        scope: as `group`.
        dispersion: as `group`.

    """

    row: Row
    id: str
    prompt: str
    question: Question | None
    answers: tuple[str, ...]
    scorer: str | None
    group: str | None
    scope: Level | None
    dispersion: Level | None

    @property
    def words(self) -> int:
        """Words of the prompt or document."""
        return len(self.prompt.split()) if self.question is None else self.question.document.size

    @property
    def cluster(self) -> str:
        """The document, or the record itself."""
        return self.id if self.question is None else self.question.document.cluster


def requests(rows: Iterable[Row], fields: Fields, scorers: Collection[str]) -> tuple[Request, ...]:
    """The requests of the rows.

    Args:
        rows: of a file or data set.
        fields: what its fields mean.
        scorers: names that records may choose.

    Raises:
        LocatedError: about the first line that is wrong.
        SuiteError: about the first row of a data set that is wrong, or where there is none.

    """
    found: list[Request] = []
    documents = Documents()
    seen: dict[str, str] = {}
    for row in rows:
        own = checks.name(row, fields.id)
        checks.once(row, own, seen)
        answers = alternatives(row, fields)
        prompt, question = _asked(row, fields, own, answers, documents)
        scorer = checks.optional_text(row, fields.scorer) or None
        if scorer is not None and scorer not in scorers:
            raise row.error(f"{fields.scorer}: no scorer {scorer!r}; {nearest(scorer, scorers)}")
        group = checks.optional_text(row, fields.group) or None
        if group is not None and (not _GROUP.fullmatch(group) or group == "mix"):
            raise row.error(f"{fields.group}: {group!r} cannot be a group's name; use letters, digits, '_' and '-'")
        found.append(
            Request(
                row,
                own,
                prompt,
                question,
                answers,
                scorer,
                group,
                _level(row, fields.scope),
                _level(row, fields.dispersion),
            )
        )
    if not found:
        raise SuiteError("data: there are no records")
    named = [request.group is not None for request in found]
    if any(named) and not all(named):
        raise found[named.index(False)].row.error(f"missing field {fields.group!r}, which other records have")
    return tuple(found)


def _asked(
    row: Row, fields: Fields, own: str, answers: tuple[str, ...], documents: Documents
) -> tuple[str, Question | None]:
    has_prompt, has_context = checks.has(row, fields.prompt), checks.has(row, fields.context)
    if has_prompt and has_context:
        raise row.error(f"{fields.prompt} and {fields.context}: a record has one of them")
    if not has_prompt and not has_context:
        raise row.error(f"missing field {fields.prompt!r}, or {fields.context!r} with {fields.question!r}")
    if has_prompt:
        return checks.text(row, fields.prompt), None
    text = checks.joined(row, fields.context, checks.need(row, fields.context))
    document = documents.of(checks.optional_text(row, fields.title), text)
    return "", Question(own, document, checks.text(row, fields.question), answers)


def _level(row: Row, path: str) -> Level | None:
    value = checks.optional_text(row, path)
    if value not in ("", "low", "high"):
        raise row.error(f"{path}: {value!r} is neither low nor high")
    return cast(Level, value) if value else None


def check_letters(request: Request) -> None:
    """Raise an error of the row where answers are no letters of choices."""
    wrong = [answer for answer in request.answers if answer.upper() not in LETTERS or len(answer) != 1]
    if wrong:
        raise request.row.error(f"answers: {wrong[0]!r} is none of the letters {LETTERS} that its scorer compares")
