"""Questions about one of many numbered documents, real or invented: what all of them share."""

from __future__ import annotations

import functools
import re
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.invented.library import StyleName
from sparsetol_suites.invented.questions import Invented
from sparsetol_suites.item import Draft, Item, TokenCounter
from sparsetol_suites.records.document import Document
from sparsetol_suites.records.fields import read_fields
from sparsetol_suites.records.order import Orders
from sparsetol_suites.records.plain_text import passages, turned
from sparsetol_suites.records.question import Question
from sparsetol_suites.records.questions import questions
from sparsetol_suites.records.source import digest_of, files_of, rows_of
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.fitted import fitted
from sparsetol_suites.tasks.layout import lay_out
from sparsetol_suites.tasks.shelf import Shelf

_REASON_TOKENS = 96
"""Room for a quoted sentence or two."""


@dataclass(frozen=True, kw_only=True)
class DocumentTask(Task):
    """A question that names one of the numbered documents in the context.

    The document's place is spread evenly over the depth; the last of the others is cut where the length ends. Of
    records that share a document, a run uses one before it uses a second one.

    Attributes:
        style: of the invented documents where there is no `data`: `short`, or `long` for 16k tokens and more.
        data: records, as a JSON Lines file or `hub:<id>[@revision]#[config/]split`.
        fields: what the records' fields mean: a mapping, or the name of a known data set.
        filler: plain-text file whose passages take the place of other records' documents.
        document_words: records whose document has more words are not asked about, so that it fits into the shortest
            prompts; what is left out never depends on a tokenizer. None asks about all, and a document that does not
            fit is an error.
        reason: replies quote the sentence that decides before they answer.
        budget: most new tokens of a reply; None for about twice what a good one takes.

    """

    group: ClassVar[str] = "single_qa"
    scope: ClassVar[Level] = "low"
    dispersion: ClassVar[Level] = "low"

    with_choices: ClassVar[bool] = False
    """Whether records hold choices."""

    room: ClassVar[int] = 64
    """Tokens for an answer without its reason."""

    style: StyleName = "short"
    data: Path | str | None = None
    fields: dict[str, Any] | str | None = None
    filler: Path | None = None
    document_words: int | None = None
    reason: bool = False
    budget: int | None = None

    def __post_init__(self) -> None:
        if self.budget is not None and self.budget < 1:
            raise SuiteError(f"budget: {self.budget} is not at least 1 token")
        if self.data is None:
            for name in ("fields", "document_words"):
                if getattr(self, name) is not None:
                    raise SuiteError(f"{name}: belongs to records, and there is no data")
        elif not self.asked:
            raise SuiteError(f"document_words: no document has at most {self.document_words} words")
        if self.filler is not None:
            self._passages  # noqa: B018  # read now: a bad file is an error of the suite

    @abstractmethod
    def invent(self, rng: Random) -> Invented:
        """A question about an invented document."""

    @abstractmethod
    def ask(self, question: Question, number: int) -> str:
        """Question and instructions about the document of that number."""

    @functools.cached_property
    def records(self) -> tuple[Question, ...]:
        """All records."""
        assert self.data is not None  # noqa: S101  # callers ask first
        fields = read_fields(self.fields)
        return questions(rows_of(self.data, fields), fields, with_choices=self.with_choices)

    @functools.cached_property
    def asked(self) -> tuple[Question, ...]:
        """Records whose document is short enough."""
        most = self.document_words
        return tuple(record for record in self.records if most is None or record.document.size <= most)

    @functools.cached_property
    def _documents(self) -> tuple[Document, ...]:
        return tuple({record.document.text: record.document for record in self.records}.values())

    @functools.cached_property
    def _passages(self) -> tuple[Document, ...]:
        assert self.filler is not None  # noqa: S101  # callers ask first
        return passages(self.filler)

    @functools.cached_property
    def _orders(self) -> Orders[Question]:
        return Orders(self.asked, [record.document.cluster for record in self.asked])

    @property
    def answer_tokens(self) -> int:
        """The budget or, without one, twice what a good reply takes."""
        return self.budget or self.room + (_REASON_TOKENS if self.reason else 0)

    def available(self) -> int | None:
        """Records that are asked about; invented questions do not run out."""
        return None if self.data is None else len(self.asked)

    def data_files(self) -> tuple[Path, ...]:
        """Records and filler."""
        return (*files_of(self.data), *files_of(self.filler))

    def data_digest(self) -> str:
        """That of a data set of the hub."""
        return digest_of(self.data)

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """An invented question, or the record of that place in the seed's order, among other documents."""
        question, others = self._drawn(draw)
        shelf = Shelf(
            [question.document],
            others,
            index=draw.index,
            seed=draw.rng.getrandbits(64),
            mixed=self.filler is None,
        )

        def build(words: int) -> Draft:
            shelved = shelf.filled(words)
            start = shelved.starts[0]
            return lay_out(
                intro="Here are numbered documents.",
                context=shelved.context,
                question=self.ask(question, shelved.numbers[0]),
                question_first=self.question_first,
                answers=question.answers,
                facts=[(start + first, start + last) for first, last in question.places()],
                cluster="" if self.data is None else question.document.cluster,
            )

        return fitted(build, length, counter, most=shelf.most, record=question.id, words=question.document.size)

    def quoted(self, item: Item) -> str:
        """The sentences of the prompt that hold the item's facts, each once, or as much of them as one line holds."""
        found: dict[str, None] = {}
        for fact in item.facts:
            before = item.prompt[: fact.start]
            start = max(before.rfind(". ") + 2, before.rfind("\n") + 1)
            end = re.compile(r"[.\n]|$").search(item.prompt, fact.end)
            found[item.prompt[start : end.end() if end else fact.end].strip()] = None
        return " ".join(found)

    def _drawn(self, draw: Draw) -> tuple[Question, Iterable[Document]]:
        others: Iterable[Document]
        if self.data is None:
            question, others = self.invent(Random(draw.rng.getrandbits(64)))
        else:
            question = self._orders.at(draw.seed, draw.index)
            own = [document for document in self._documents if document is not question.document]
            draw.rng.shuffle(own)
            others = tuple(own)
        return question, (others if self.filler is None else turned(self._passages, draw.rng))
