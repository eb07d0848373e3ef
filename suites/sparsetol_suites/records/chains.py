"""Questions that need several paragraphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.records import checks
from sparsetol_suites.records.answers import alternatives
from sparsetol_suites.records.document import Document
from sparsetol_suites.records.fields import Fields
from sparsetol_suites.records.questions import Documents
from sparsetol_suites.records.rows import Row, kind_of


@dataclass(frozen=True)
class Chain:
    """One record.

    Attributes:
        id: the record's own.
        text: the question.
        answers: alternatives.
        needed: paragraphs that the answer needs, in the record's order.
        others: the record's other paragraphs, which look as if they were needed.
        cluster: the same for records that share a needed paragraph, be it through others.

    """

    id: str
    text: str
    answers: tuple[str, ...]
    needed: tuple[Document, ...]
    others: tuple[Document, ...]
    cluster: str

    @property
    def words(self) -> int:
        """Words of the needed paragraphs."""
        return sum(document.size for document in self.needed)


def chains(rows: Iterable[Row], fields: Fields) -> tuple[Chain, ...]:
    """The questions of the rows; paragraphs of the same text are the same object.

    Raises an error of the first row that is wrong, and `SuiteError` where there is none.
    """
    documents = Documents()
    seen: dict[str, str] = {}
    found: list[tuple[str, str, tuple[str, ...], list[Document], list[Document]]] = []
    for row in rows:
        own = checks.name(row, fields.id)
        checks.once(row, own, seen)
        paragraphs = _listed(row, fields) if fields.paragraphs is None else _objects(row, fields, fields.paragraphs)
        needed = [documents.of(title, text) for title, text, gold in paragraphs if gold]
        others = [documents.of(title, text) for title, text, gold in paragraphs if not gold]
        if not needed:
            raise row.error("no paragraph is marked as needed")
        found.append((own, checks.text(row, fields.question), alternatives(row, fields), needed, others))
    if not found:
        raise SuiteError("data: there are no records")
    clusters = _clusters([[document.cluster for document in needed] for _, _, _, needed, _ in found])
    return tuple(
        Chain(own, text, answers, tuple(needed), tuple(others), cluster)
        for (own, text, answers, needed, others), cluster in zip(found, clusters, strict=True)
    )


def _objects(row: Row, fields: Fields, path: str) -> list[tuple[str, str, bool]]:
    found: list[tuple[str, str, bool]] = []
    for place, entry in enumerate(checks.entries(row, path, checks.need(row, path))):
        where = f"{path}[{place}]"
        if not isinstance(entry, dict):
            raise row.error(f"{where}: {kind_of(entry)} found where an object is needed")
        inner = Row(row.source, row.number, entry, row.part)
        gold = checks.need(inner, fields.paragraph_gold)
        if gold not in (True, False):
            raise row.error(f"{where}.{fields.paragraph_gold}: {kind_of(gold)} found where true or false is needed")
        text = checks.joined(inner, f"{where}.{fields.paragraph_text}", checks.need(inner, fields.paragraph_text))
        found.append((checks.optional_text(inner, fields.paragraph_title), text, bool(gold)))
    return found


def _listed(row: Row, fields: Fields) -> list[tuple[str, str, bool]]:
    """Paragraphs of a record that lists titles, texts, and the titles of those that are needed."""
    if not (fields.titles and fields.texts and fields.gold_titles):
        raise SuiteError("fields: without paragraphs, titles, texts and gold_titles are needed")
    titles = checks.texts(row, fields.titles)
    texts = checks.entries(row, fields.texts, checks.need(row, fields.texts))
    gold = set(checks.texts(row, fields.gold_titles))
    if len(texts) != len(titles):
        raise row.error(f"{fields.texts}: {len(texts)} texts for {len(titles)} titles")
    unknown = gold - set(titles)
    if unknown:
        raise row.error(f"{fields.gold_titles}: {min(unknown)!r} is none of the titles")
    return [
        (title, checks.joined(row, f"{fields.texts}[{place}]", text), title in gold)
        for place, (title, text) in enumerate(zip(titles, texts, strict=True))
    ]


def _clusters(keys: Sequence[Sequence[str]]) -> list[str]:
    """One name for all records that are connected by shared keys: the first of their keys to be seen."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for group in keys:
        first = root(group[0])
        for key in group[1:]:
            parent[root(key)] = first
    return [root(group[0]) for group in keys]
