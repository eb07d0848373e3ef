"""Real questions that need several paragraphs, found among many."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.item import Draft, Item, Score, TokenCounter
from sparsetol_suites.records.answers import guessed, median_tokens
from sparsetol_suites.records.chains import Chain, chains
from sparsetol_suites.records.document import Document
from sparsetol_suites.records.fields import read_fields
from sparsetol_suites.records.order import Orders
from sparsetol_suites.records.plain_text import passages, turned
from sparsetol_suites.records.source import digest_of, files_of, rows_of
from sparsetol_suites.scorers import scorer_named
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.fitted import fitted
from sparsetol_suites.tasks.layout import lay_out
from sparsetol_suites.tasks.reply import score_reply
from sparsetol_suites.tasks.shelf import Shelf


@dataclass(frozen=True, kw_only=True)
class MultiHop(Task):
    """A question whose answer needs several numbered documents, none of which it names.

    The needed paragraphs are spread over the depth, each in a part of its own. The record's other paragraphs come
    first among the distractors, then those of other records; the last one is cut where the length ends.

    Source: records like those of HotpotQA, Yang et al. 2018, arXiv 1809.09600, and MuSiQue, Trivedi et al. 2022,
    arXiv 2108.00573.

    Departures: the context is as long as the contract says, not ten or twenty paragraphs.

    Attributes:
        data: records, as a JSON Lines file or `hub:<id>[@revision]#[config/]split`; each has `id`, `question`,
            `answers` and `paragraphs`, a list of `title`, `text` and `gold`, true where the answer needs it.
        fields: what the records' fields mean: a mapping, or the name of a known data set.
        filler: plain-text file whose passages come after the record's own paragraphs, in place of other records'.
        document_words: records whose needed paragraphs have more words together are not asked about, so that they fit
            into the shortest prompts. None asks about all.
        scorer: name of a scorer, shipped or of the entry point group `sparsetol.scorers`.
        reason: replies say what they found before they answer.
        budget: most new tokens of a reply; None for about twice what a good one takes.

    """

    group: ClassVar[str] = "multi_hop"
    scope: ClassVar[Level] = "low"
    dispersion: ClassVar[Level] = "high"

    data: Path | str
    fields: dict[str, Any] | str | None = None
    filler: Path | None = None
    document_words: int | None = None
    scorer: str = "f1"
    reason: bool = True
    budget: int | None = None

    def __post_init__(self) -> None:
        scorer_named(self.scorer)
        if self.budget is not None and self.budget < 1:
            raise SuiteError(f"budget: {self.budget} is not at least 1 token")
        if not self._asked:
            raise SuiteError(f"document_words: no record needs at most {self.document_words} words")
        if self.filler is not None:
            self._passages  # noqa: B018  # read now: a bad file is an error of the suite

    @functools.cached_property
    def _records(self) -> tuple[Chain, ...]:
        fields = read_fields(self.fields)
        return chains(rows_of(self.data, fields), fields)

    @functools.cached_property
    def _asked(self) -> tuple[Chain, ...]:
        most = self.document_words
        return tuple(record for record in self._records if most is None or record.words <= most)

    @functools.cached_property
    def _orders(self) -> Orders[Chain]:
        return Orders(self._asked, [record.cluster for record in self._asked])

    @functools.cached_property
    def _paragraphs(self) -> tuple[Document, ...]:
        return tuple(
            {
                document.text: document for record in self._records for document in (*record.needed, *record.others)
            }.values()
        )

    @functools.cached_property
    def _passages(self) -> tuple[Document, ...]:
        assert self.filler is not None  # noqa: S101  # callers ask first
        return passages(self.filler)

    @property
    def chance(self) -> float:
        """Phrases are not guessed, but yes and no are."""
        return guessed([record.answers for record in self._asked])

    @property
    def answer_tokens(self) -> int:
        """The budget or, without one, room for an answer and a sentence about each paragraph."""
        return self.budget or (192 if self.reason else 64)

    @property
    def usual_tokens(self) -> int:
        """What the median record's shortest answer takes, and a sentence where a reason is asked for."""
        return median_tokens([record.answers for record in self._asked]) + (16 if self.reason else 0)

    def available(self) -> int:
        """Records that are asked about."""
        return len(self._asked)

    def data_files(self) -> tuple[Path, ...]:
        """Records and filler."""
        return (*files_of(self.data), *files_of(self.filler))

    def data_digest(self) -> str:
        """That of a data set of the hub."""
        return digest_of(self.data)

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """The record of that place in the seed's order, among other paragraphs."""
        record = self._orders.at(draw.seed, draw.index)
        shelf = Shelf(
            record.needed,
            self._others(record, draw),
            index=draw.index,
            seed=draw.rng.getrandbits(64),
            mixed=True,
        )

        def build(words: int) -> Draft:
            shelved = shelf.filled(words)
            return lay_out(
                intro="Here are numbered documents.",
                context=shelved.context,
                question=self._ask(record.text),
                question_first=self.question_first,
                answers=record.answers,
                facts=[
                    (start, start + len(document.text))
                    for start, document in zip(shelved.starts, record.needed, strict=True)
                ],
                cluster=record.cluster,
            )

        return fitted(build, length, counter, most=shelf.most, record=record.id, words=record.words)

    def _others(self, record: Chain, draw: Draw) -> tuple[Document, ...]:
        own = list(record.others)
        draw.rng.shuffle(own)
        if self.filler is not None:
            return (*own, *turned(self._passages, draw.rng))
        known = {document.text for document in (*record.needed, *record.others)}
        rest = [document for document in self._paragraphs if document.text not in known]
        draw.rng.shuffle(rest)
        return (*own, *rest)

    def _ask(self, question: str) -> str:
        wrapped = " inside <answer></answer>" if self.tagged else ""
        asked = f"The answer to this question needs more than one of the documents: {question}"
        if not self.reason:
            return f"{asked}\nReply{wrapped} with a few words, and nothing else."
        marked = f"the answer{wrapped}" if self.tagged else "Answer: and the answer"
        return f"{asked}\nFirst say briefly what you found in which documents. Then write {marked}, in a few words."

    def score(self, item: Item, reply: str) -> Score:
        """What the scorer says of the answer: one line of it, where it is not tagged."""
        return score_reply(self.scorer, item.answers, reply, tagged=self.tagged, reason=self.reason)
