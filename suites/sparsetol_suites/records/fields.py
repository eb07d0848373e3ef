"""Which field of a record means what: a mapping in YAML, or the name of a known data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.located_yaml import nearest


@dataclass(frozen=True)
class Fields:
    """Names of a record's fields; names joined by dots reach into objects.

    Attributes:
        id: a text or number of the record's own; None takes the number of the line or row.
        title: of the document; it may be missing in records.
        context: the document, a text or a list of texts to be joined.
        question: a text.
        answers: one or several fields, each a text or a list. Of choices: letters, numbers, or the choices' texts.
        options: the choices.
        flags: in place of `answers`, true or false (1 or 0) for each choice.
        first_option: number of the first choice, where `answers` holds numbers.
        each: a field that lists the questions of a record; a question's fields go before the record's.
        paragraphs: a list of objects with the next three fields, or None where `titles` and `texts` are used.
        paragraph_title: of each paragraph.
        paragraph_text: of each, a text or a list of texts to be joined.
        paragraph_gold: of each, true where the answer needs it.
        titles: in place of `paragraphs`, the list of titles.
        texts: as `titles`, the list of texts.
        gold_titles: as `titles`, those of the paragraphs that the answer needs.
        prompt: of records that are prompts as served.
        scorer: of a record.
        group: of a record.
        scope: of a record.
        dispersion: of a record.

    """

    id: str | None = "id"
    title: str = "title"
    context: str = "context"
    question: str = "question"
    answers: tuple[str, ...] = ("answers",)
    options: str = "options"
    flags: str | None = None
    first_option: int = 0
    each: str | None = None
    paragraphs: str | None = "paragraphs"
    paragraph_title: str = "title"
    paragraph_text: str = "text"
    paragraph_gold: str = "gold"
    titles: str | None = None
    texts: str | None = None
    gold_titles: str | None = None
    prompt: str = "prompt"
    scorer: str = "scorer"
    group: str = "group"
    scope: str = "scope"
    dispersion: str = "dispersion"


KNOWN: dict[str, Fields] = {
    "squad": Fields(answers=("answers.text",)),
    "quality": Fields(id=None, context="article", answers=("answer",)),
    "toefl": Fields(id=None, context="sentences", flags="labels"),
    "hotpotqa": Fields(
        answers=("answer",),
        paragraphs=None,
        titles="context.title",
        texts="context.sentences",
        gold_titles="supporting_facts.title",
    ),
    "musique": Fields(
        answers=("answer", "answer_aliases"), paragraph_text="paragraph_text", paragraph_gold="is_supporting"
    ),
}
"""Data sets as they are on the hub.

`squad` is rajpurkar/squad; `quality` is emozilla/quality, one question a row, answers numbered from 0; `hotpotqa` is
hotpotqa/hotpot_qa; `musique` is dgslibisey/MuSiQue. `toefl` names the parts of a passage of TOEFL-QA, Tseng et al.
2016: its sentences, a question, options, and labels that say which are right.
"""


def read_fields(given: Mapping[str, Any] | str | None) -> Fields:
    """The fields that a suite names: those of a known data set, or the usual ones with some renamed.

    Raises `SuiteError` for names that are not known and values of the wrong type.
    """
    if given is None:
        return Fields()
    if isinstance(given, str):
        if given not in KNOWN:
            raise SuiteError(f"fields: no data set {given!r}; {nearest(given, KNOWN)}, or a mapping")
        return KNOWN[given]
    names = {field.name: field.type for field in fields(Fields)}
    renamed: dict[str, Any] = {}
    for name, value in given.items():
        if name not in names:
            raise SuiteError(f"fields: unknown field {name!r}; {nearest(name, names)}")
        renamed[name] = _field(name, value, "None" in str(names[name]))
    return replace(Fields(), **renamed)


def _field(name: str, value: object, optional: bool) -> object:
    if value is None and optional:
        return None
    if name == "first_option":
        if isinstance(value, bool) or value not in (0, 1):
            raise SuiteError(f"fields.first_option: {value!r} is not 0 or 1")
        return value
    if name == "answers" and isinstance(value, list) and value and all(isinstance(entry, str) for entry in value):
        return tuple(value)
    if not isinstance(value, str) or not value:
        raise SuiteError(f"fields.{name}: {value!r} is not the name of a field")
    return (value,) if name == "answers" else value
