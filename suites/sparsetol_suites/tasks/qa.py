"""Questions about one of many documents, answered in a few words."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sparsetol_suites.depth import depths
from sparsetol_suites.errors import LengthError, SuiteError
from sparsetol_suites.fit import fit
from sparsetol_suites.item import MISSING, Draft, Item, Score, TokenCounter
from sparsetol_suites.located_yaml import nearest
from sparsetol_suites.records.order import in_rounds
from sparsetol_suites.records.questions import Document, Question, questions
from sparsetol_suites.records.rows import read_rows
from sparsetol_suites.scoring import SCORERS, find_answer
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.layout import lay_out
from sparsetol_suites.tasks.shelf import Shelf


@dataclass(frozen=True, kw_only=True)
class QuestionAnswering(Task):
    """A question about one numbered document among others.

    Source: the extractive question answering of The Sparse Frontier, arXiv 2504.17768, over records in the fields of
    SQuAD, Rajpurkar et al. 2016, arXiv 1606.05250: the question names its document's number, the other documents come
    from other records, and the last of them is cut where the length ends.

    Departures: the place of the answer's document is spread evenly over the depth instead of shuffled; of the records
    that share a document, a run uses one before it uses a second one; F1 counts words as often as they stand.

    Attributes:
        data: JSON Lines file; each record has `id`, `context`, `question`, `answers` (a list of alternatives) and
            perhaps a `title`.
        scorer: name of the scorer of `sparsetol_suites.scoring`.
        document_words: records whose document has more words are not asked about, so that it fits into the shortest
            prompts; what is left out never depends on a tokenizer. None asks about all, and a document that does not
            fit is an error.
        budget: most new tokens of an answer.

    """

    group: ClassVar[str] = "single_qa"
    scope: ClassVar[Level] = "low"
    dispersion: ClassVar[Level] = "low"

    data: Path
    scorer: str = "f1"
    document_words: int | None = None
    budget: int = 64

    def __post_init__(self) -> None:
        if self.scorer not in SCORERS:
            raise SuiteError(f"scorer: no scorer {self.scorer!r}; {nearest(self.scorer, SCORERS)}")
        if self.budget < 1:
            raise SuiteError(f"budget: {self.budget} is not at least 1 token")
        if not self._asked:
            raise SuiteError(f"document_words: no document of {self.data} has at most {self.document_words} words")

    @functools.cached_property
    def _records(self) -> tuple[Question, ...]:
        return questions(read_rows(self.data))

    @functools.cached_property
    def _asked(self) -> tuple[Question, ...]:
        most = self.document_words
        return tuple(record for record in self._records if most is None or len(record.document.ends) <= most)

    @functools.cached_property
    def _orders(self) -> dict[int, list[Question]]:
        return {}

    @functools.cached_property
    def _documents(self) -> tuple[Document, ...]:
        return tuple({record.document.text: record.document for record in self._records}.values())

    @property
    def chance(self) -> float:
        """Phrases are not guessed."""
        return 0.0

    @property
    def answer_tokens(self) -> int:
        """As configured."""
        return self.budget

    @property
    def usual_tokens(self) -> int:
        """What the median record's shortest answer takes."""
        counts = sorted(min(len(answer.split()) for answer in record.answers) for record in self._asked)
        return round(1.3 * counts[len(counts) // 2])

    def available(self) -> int:
        """Records that are asked about."""
        return len(self._asked)

    def data_files(self) -> tuple[Path, ...]:
        """The records."""
        return (self.data,)

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """The record of that place in the seed's order, among other documents."""
        order = self._order(draw.seed)
        if draw.index >= len(order):
            raise SuiteError(f"item {draw.index} of {self.data.name}: only {len(order)} records are asked about")
        record = order[draw.index]
        others = [document for document in self._documents if document is not record.document]
        draw.rng.shuffle(others)
        shelf = Shelf(record.document, others, depths(1, draw.index, draw.rng)[0])
        start, end = record.place()

        def build(words: int) -> Draft:
            shelved = shelf.filled(words)
            return lay_out(
                intro="Here are numbered documents.",
                context=shelved.context,
                question=self._question(record, shelved.number),
                question_first=self.question_first,
                answers=record.answers,
                facts=[(shelved.start + start, shelved.start + end)],
                cluster=record.document.cluster,
            )

        alone = counter.prompt(build(0).message)
        if alone > length:
            raise LengthError(
                f"record {record.id!r} of {self.data.name} takes {alone} tokens without any other document; leave out "
                f"records with documents of {len(record.document.ends)} words or more: set document_words"
            )
        try:
            return fit(build, length, counter, least=0, most=shelf.most)
        except LengthError as error:
            raise LengthError(f"record {record.id!r} of {self.data.name}: {error}; add records") from None

    def _order(self, seed: int) -> list[Question]:
        if seed not in self._orders:
            clusters = [record.document.cluster for record in self._asked]
            self._orders[seed] = in_rounds(self._asked, clusters, seed)
        return self._orders[seed]

    def _question(self, record: Question, number: int) -> str:
        wrapped = " inside <answer></answer>" if self.tagged else ""
        return (
            f"Question about document {number}: {record.text}\n"
            f"Answer{wrapped} with a few words that stand in that document, and nothing else."
        )

    def score(self, item: Item, reply: str) -> Score:
        """What the chosen scorer says of the answer: its first line, where it is not tagged."""
        text = find_answer(reply, tagged=self.tagged)
        if text is None:
            return MISSING
        return SCORERS[self.scorer](item.answers, text if self.tagged else text.splitlines()[0])
