"""Multiple-choice questions about one of many documents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.invented.questions import Invented, Right, choice
from sparsetol_suites.item import MISSING, Item, Score
from sparsetol_suites.records.question import LETTERS, Question, lettered
from sparsetol_suites.scoring import SCORERS, find_answer
from sparsetol_suites.tasks.documents import DocumentTask


@dataclass(frozen=True, kw_only=True)
class QuestionChoice(DocumentTask):
    """A question with up to four choices, answered by the letters of all right ones after a short quoted reason.

    Source: the multiple-choice question answering of The Sparse Frontier, arXiv 2504.17768, over records like those of
    QuALITY, Pang et al. 2022, arXiv 2112.08608 (one right letter), and TOEFL-QA, Tseng et al. 2016, arXiv 1608.06378
    (several right letters may be); the sorted letters must be those of the reference.

    Departures: as in `sparsetol_suites.tasks.qa`; without `data`, wrong choices are what other documents in the context
    say.

    Attributes:
        right: how many choices can be right: `one`, or `several` of them; where `data` is given it must hold.

    """

    with_choices: ClassVar[bool] = True
    room: ClassVar[int] = 24

    right: Right = "one"
    reason: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data is not None and self.right == "one":
            several = next((record for record in self.records if len(record.answers) > 1), None)
            if several is not None:
                raise SuiteError(f"right: record {several.id!r} has {len(several.answers)} right letters; say several")

    @property
    def chance(self) -> float:
        """Mean score of guessing so many letters as pays most.

        Invented statements have one, two or three right letters so that each of the 14 sets is equally likely.
        """
        if self.data is None:
            return 1 / len(LETTERS) if self.right == "one" else 1 / (2 ** len(LETTERS) - 2)
        return max(self._guessed(size) for size in {len(record.answers) for record in self.asked})

    def _guessed(self, size: int) -> float:
        """Mean score of guessing `size` letters."""
        hits = (
            1 / math.comb(len(record.options), size) if len(record.answers) == size else 0.0 for record in self.asked
        )
        return sum(hits) / len(self.asked)

    @property
    def usual_tokens(self) -> int:
        """A quoted sentence and the letters."""
        return (12 if self.reason else 0) + 3

    def invent(self, rng: Random) -> Invented:
        """A question with four choices."""
        return choice(self.style, rng, self.right)

    def ask(self, question: Question, number: int) -> str:
        """The question, its choices, and what the reply should be."""
        return f"Question about document {number}: {question.text}\n{lettered(question.options)}\n{self._instructions}"

    @property
    def _instructions(self) -> str:
        several = self.right == "several"
        letters = "the letters of all right choices" if several else "the letter of the right choice"
        marked = f"{letters} inside <answer></answer>" if self.tagged else f"Answer: and {letters}"
        if not self.reason:
            return f"Write {marked}."
        quoted = "the sentences that decide" if several else "the sentence that decides"
        return f"First quote {quoted}. Then write {marked}."

    def perfect_reply(self, item: Item) -> str:
        """A reply of the form asked for, as right as can be; training of small models aims at it."""
        letters = ", ".join(item.answers)
        reason = f"{self.quoted(item)}\n" if self.reason else ""
        return reason + (f"<answer>{letters}</answer>" if self.tagged else f"Answer: {letters}")

    def score(self, item: Item, reply: str) -> Score:
        """1 for exactly the right letters."""
        text = find_answer(reply, tagged=self.tagged)
        return MISSING if text is None else SCORERS["choice"](item.answers, text)
