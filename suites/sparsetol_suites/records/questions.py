"""Questions that rows hold: a document, a question about it, and what is right."""

from __future__ import annotations

from collections.abc import Iterable

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.records import checks
from sparsetol_suites.records.answers import alternatives, choices
from sparsetol_suites.records.document import Document
from sparsetol_suites.records.fields import Fields
from sparsetol_suites.records.question import Question
from sparsetol_suites.records.rows import Row


class Documents:
    """Documents by their text, so that records that share one share the object."""

    def __init__(self) -> None:
        self._known: dict[str, Document] = {}

    def of(self, title: str, text: str) -> Document:
        """The document of that text; the first title that comes with it stays."""
        if text not in self._known:
            self._known[text] = Document(title.replace("_", " "), text)
        return self._known[text]


def questions(rows: Iterable[Row], fields: Fields, *, with_choices: bool = False) -> tuple[Question, ...]:
    """The questions of the rows.

    Args:
        rows: of a file or data set.
        fields: what its fields mean.
        with_choices: letters of choices are right in place of alternatives.

    Raises:
        LocatedError: about the first line that is wrong.
        SuiteError: about the first row of a data set that is wrong, or where there is none.

    """
    found: list[Question] = []
    documents = Documents()
    seen: dict[str, str] = {}
    for row in rows:
        own = checks.name(row, fields.id)
        checks.once(row, own, seen)
        text = checks.joined(row, fields.context, checks.need(row, fields.context))
        document = documents.of(checks.optional_text(row, fields.title), text)
        question = checks.text(row, fields.question)
        if with_choices:
            options, letters = choices(row, fields)
            found.append(Question(own, document, question, letters, options))
        else:
            found.append(Question(own, document, question, alternatives(row, fields)))
    if not found:
        raise SuiteError("data: there are no records")
    return tuple(found)
