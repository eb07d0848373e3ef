"""A team's own requests from a file."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sparsetol_suites.errors import LengthError, SuiteError
from sparsetol_suites.item import Draft, Fact, Item, Score, TokenCounter
from sparsetol_suites.records.answers import guessed, median_tokens
from sparsetol_suites.records.document import Document
from sparsetol_suites.records.fields import read_fields
from sparsetol_suites.records.order import Orders
from sparsetol_suites.records.places import find_first
from sparsetol_suites.records.plain_text import passages, turned
from sparsetol_suites.records.question import Question
from sparsetol_suites.records.source import digest_of, files_of, rows_of
from sparsetol_suites.records.traffic import MARK, Request, check_letters, requests
from sparsetol_suites.scorers import known_scorers, scorer_named
from sparsetol_suites.task import Draw, Level, Part, Task
from sparsetol_suites.tasks.fitted import fitted
from sparsetol_suites.tasks.layout import lay_out
from sparsetol_suites.tasks.reply import score_reply
from sparsetol_suites.tasks.shelf import Shelf

_ONE_LETTER = 1 / 4
_LETTERS = 1 / 15
"""Guessing among four choices, and among the 15 sets that hold at least one of four letters."""


@dataclass(frozen=True, kw_only=True)
class OwnTraffic(Task):
    """Requests that a team serves, each with its answers.

    A record has `id`, `answers` and either `prompt`, a whole message, or `context` and `question`. A question goes
    among the other records' documents, as in `sparsetol_suites.tasks.qa`. A prompt with `{filler}` in one or
    several places gets text of the `filler` file there, up to the length; one without is used as it is.

    Records or else the suite's entry say `group`, `scope` and `dispersion`; a file whose records have several groups
    becomes one task a group. Records may name a `scorer` of their own.

    Source: the team.

    Attributes:
        data: records, as a JSON Lines file or `hub:<id>[@revision]#[config/]split`.
        fields: what the records' fields mean: a mapping, or the name of a known data set.
        only: use the records of this group alone.
        scorer: of records that name none: one of those shipped, or of the entry point group `sparsetol.scorers`.
        instructions: after each question, what the reply should be.
        filler: plain-text file for `{filler}`, and for what the other records' documents leave empty.
        document_words: records with a longer prompt or document are not used, so that what is used fits into the
            shortest prompts. None uses all.
        least: share of the length that a prompt without `{filler}` must reach: a claim about long prompts needs some.
        guess: mean score of guessing, where it is known better than from the answers: letters, and yes or no.
        budget: most new tokens of a reply.

    """

    data: Path | str
    fields: dict[str, Any] | str | None = None
    only: str | None = None
    scorer: str = "f1"
    instructions: str = "Reply with a few words that stand in that document, and nothing else."
    filler: Path | None = None
    document_words: int | None = None
    least: float = 0.5
    guess: float | None = None
    budget: int = 128

    def __post_init__(self) -> None:
        scorer_named(self.scorer)
        if self.budget < 1:
            raise SuiteError(f"budget: {self.budget} is not at least 1 token")
        if not 0 <= self.least <= 1:
            raise SuiteError(f"least: {self.least} is not a share between 0 and 1")
        if self.guess is not None and not 0 <= self.guess < 1:
            raise SuiteError(f"guess: {self.guess} is not a score of at least 0 and under 1")
        if self.filler is not None:
            self._passages  # noqa: B018  # read now: a bad file is an error of the suite
        if not self._asked:
            groups = ", ".join(sorted({request.group for request in self._requests if request.group})) or "none"
            raise SuiteError(
                f"data: no record is left with only: {self.only} and document_words: {self.document_words} "
                f"(groups: {groups})"
            )
        for request in self._asked:
            self._check(request)

    def _check(self, request: Request) -> None:
        if (request.scorer or self.scorer) == "choice":
            check_letters(request)
        if MARK in request.prompt and self.filler is None:
            raise request.row.error(f"prompt: holds {MARK}; the suite must name a plain-text file as filler")

    @functools.cached_property
    def _requests(self) -> tuple[Request, ...]:
        fields = read_fields(self.fields)
        return requests(rows_of(self.data, fields), fields, known_scorers())

    @functools.cached_property
    def _asked(self) -> tuple[Request, ...]:
        return tuple(
            request
            for request in self._requests
            if (self.only is None or request.group == self.only)
            and (self.document_words is None or request.words <= self.document_words)
        )

    @functools.cached_property
    def _orders(self) -> Orders[Request]:
        return Orders(self._asked, [request.cluster for request in self._asked])

    @functools.cached_property
    def _documents(self) -> tuple[Document, ...]:
        found = (request.question.document for request in self._requests if request.question is not None)
        return tuple({document.text: document for document in found}.values())

    @functools.cached_property
    def _passages(self) -> tuple[Document, ...]:
        assert self.filler is not None  # noqa: S101  # callers ask first
        return passages(self.filler)

    @property
    def chance(self) -> float:
        """As configured, else that of letters and of yes or no."""
        if self.guess is not None:
            return self.guess
        return sum(map(self._chance, self._asked)) / len(self._asked)

    def _chance(self, request: Request) -> float:
        if (request.scorer or self.scorer) == "choice":
            return _ONE_LETTER if len(request.answers) == 1 else _LETTERS
        return guessed([request.answers])

    @property
    def answer_tokens(self) -> int:
        """As configured."""
        return self.budget

    @property
    def usual_tokens(self) -> int:
        """What the median record's shortest answer takes."""
        return median_tokens([request.answers for request in self._asked])

    def available(self) -> int:
        """Records that are used."""
        return len(self._asked)

    def data_files(self) -> tuple[Path, ...]:
        """Records and filler."""
        return (*files_of(self.data), *files_of(self.filler))

    def data_digest(self) -> str:
        """That of a data set of the hub."""
        return digest_of(self.data)

    def parts(self, group: str | None, scope: Level | None, dispersion: Level | None) -> tuple[Part, ...]:
        """One task a group; raises the error of the first record whose labels are missing or differ in a group."""
        named = self._asked[0].group is not None
        if named and group is not None:
            raise SuiteError(f"group: the records name their groups; {group!r} cannot be another")
        labels: dict[str, tuple[Level, Level]] = {}
        for request in self._asked:
            own = request.group or group
            found = (request.scope or scope, request.dispersion or dispersion)
            for label, value in zip(("group", "scope", "dispersion"), (own, *found), strict=True):
                if value is None:
                    raise request.row.error(f"{label}: neither the record nor the suite's entry says it")
            known = labels.setdefault(own, found)  # type: ignore[arg-type]  # none is None here
            for label, value, other in zip(("scope", "dispersion"), found, known, strict=True):
                if value != other:
                    raise request.row.error(f"{label}: {value!r}, where other records of group {own!r} have {other!r}")
        if len(labels) == 1:
            ((only, levels),) = labels.items()
            return (Part("", only, *levels, self),)
        return tuple(Part(name, name, *levels, replace(self, only=name)) for name, levels in labels.items())

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """The record of that place in the seed's order, filled to the length where it can be."""
        request = self._orders.at(draw.seed, draw.index)
        scorer = request.scorer or self.scorer
        if request.question is not None:
            found = self._among_documents(request, request.question, length, counter, draw)
        elif MARK in request.prompt:
            found = self._filled(request, length, counter, draw)
        else:
            found = self._as_served(request, length, counter)
        return replace(found, cluster=request.cluster if request.question is not None else "", scorer=scorer)

    def _among_documents(
        self, request: Request, question: Question, length: int, counter: TokenCounter, draw: Draw
    ) -> Draft:
        others = [document for document in self._documents if document is not question.document]
        draw.rng.shuffle(others)
        if self.filler is not None:
            others += turned(self._passages, draw.rng)
        shelf = Shelf([question.document], others, index=draw.index, seed=draw.rng.getrandbits(64))

        def build(words: int) -> Draft:
            shelved = shelf.filled(words)
            start = shelved.starts[0]
            return lay_out(
                intro="Here are numbered documents.",
                context=shelved.context,
                question=f"Question about document {shelved.numbers[0]}: {question.text}\n{self.instructions}",
                question_first=self.question_first,
                answers=request.answers,
                facts=[(start + first, start + last) for first, last in question.places()],
            )

        return fitted(build, length, counter, most=shelf.most, record=request.id, words=request.words)

    def _filled(self, request: Request, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        parts = request.prompt.split(MARK)
        text = Document("", "\n\n".join(passage.text for passage in turned(self._passages, draw.rng)))

        def build(words: int) -> Draft:
            pieces = [*text.shared(words, len(parts) - 1), ""]
            return Draft(
                "".join(part + piece for part, piece in zip(parts, pieces, strict=True)),
                request.answers,
                _facts(request.answers, parts, pieces),
            )

        return fitted(build, length, counter, most=text.size, record=request.id, words=request.words)

    def _as_served(self, request: Request, length: int, counter: TokenCounter) -> Draft:
        tokens = counter.prompt(request.prompt)
        if not self.least * length <= tokens <= length:
            raise LengthError(
                f"record {request.id!r}: the prompt has {tokens} tokens, not {self.least:.0%} to 100 % of {length}; "
                f"keep prompts of other lengths in another file, or say with {MARK} where they may be filled"
            )
        return Draft(request.prompt, request.answers, _facts(request.answers, [request.prompt], [""]))

    def score(self, item: Item, reply: str) -> Score:
        """What the record's scorer says."""
        return score_reply(item.scorer or self.scorer, item.answers, reply, tagged=self.tagged)


def _facts(answers: Iterable[str], parts: Sequence[str], pieces: Sequence[str]) -> tuple[Fact, ...]:
    """Where the first of the answers stands that the prompt's own parts hold, else all of the message.

    Args:
        answers: alternatives.
        parts: what the prompt itself says.
        pieces: the filler after each of them.

    """
    for answer in answers:
        start = 0
        for part, piece in zip(parts, pieces, strict=True):
            place = find_first([answer], part)
            if place is not None:
                return (Fact(start + place[0], start + place[1]),)
            start += len(part) + len(piece)
    return (Fact(0, sum(map(len, parts)) + sum(map(len, pieces))),)
