"""Questions about one of many documents, answered in a few words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from sparsetol_suites.invented.questions import Invented, phrase
from sparsetol_suites.item import MISSING, Item, Score
from sparsetol_suites.records.answers import guessed, median_tokens
from sparsetol_suites.records.question import Question
from sparsetol_suites.scorers import scorer_named
from sparsetol_suites.tasks.documents import DocumentTask
from sparsetol_suites.tasks.reply import score_reply, short_answer


@dataclass(frozen=True, kw_only=True)
class QuestionAnswering(DocumentTask):
    """A question whose answer is a phrase of the named document.

    Source: the extractive question answering of The Sparse Frontier, arXiv 2504.17768, over records in the fields of
    SQuAD, Rajpurkar et al. 2016, arXiv 1606.05250: the question names its document's number, the other documents come
    from other records, and one is cut where the length ends.

    Departures: the place of the named document is spread evenly over the depth, and the cut one is the last of the
    others; F1 counts words as often as they stand; without `data`, documents are invented, and short ones ask for a
    sentence of which only what follows its last `is` is compared.

    Attributes:
        scorer: name of a scorer, shipped or of the entry point group `sparsetol.scorers`.

    """

    scorer: str = "f1"

    def __post_init__(self) -> None:
        scorer_named(self.scorer)
        super().__post_init__()

    @property
    def chance(self) -> float:
        """Phrases are not guessed, but yes and no are."""
        return 0.0 if self.data is None else guessed([record.answers for record in self.asked])

    @property
    def usual_tokens(self) -> int:
        """What the median record's shortest answer takes; of invented ones, the sentence or phrase."""
        if self.data is None:
            return 9 if self.style == "short" else 6
        return median_tokens([record.answers for record in self.asked])

    def invent(self, rng: Random) -> Invented:
        """A question for a phrase."""
        return phrase(self.style, rng)

    def ask(self, question: Question, number: int) -> str:
        """The question, and what the reply should be."""
        wrapped = " inside <answer></answer>" if self.tagged else ""
        asked = f"Question about document {number}: {question.text}"
        if self.reason:
            marked = f"the answer{wrapped}" if self.tagged else "Answer: and the answer"
            return (
                f"{asked}\nFirst quote the sentence of that document that gives the answer. "
                f"Then write {marked}, in a few words of that sentence."
            )
        if question.stem:
            return f"{asked}\nReply with one sentence{wrapped}, written as {question.stem} the answer."
        return f"{asked}\nReply{wrapped} with a few words that stand in that document, and nothing else."

    def perfect_reply(self, item: Item) -> str:
        """A reply of the form asked for, as right as can be; training of small models aims at it."""
        answer = item.answers[0]
        if self.reason:
            return f"{self.quoted(item)}\n{f'<answer>{answer}</answer>' if self.tagged else f'Answer: {answer}'}"
        form = re.search(r"written as (.*) the answer\.$", item.prompt) if self.data is None else None
        said = f"{form[1]} {answer}." if form else answer
        return f"<answer>{said}</answer>" if self.tagged else said

    def score(self, item: Item, reply: str) -> Score:
        """What the scorer says of the answer: one line of it, where it is not tagged."""
        if self.data is None and self.style == "short":
            answer = short_answer(reply, tagged=self.tagged, reason=self.reason)
            if answer is None:
                return MISSING
            # Only the value of the first sentence: what is restated before it earns nothing.
            value = re.split(r"\bis\b", answer.split(". ")[0])[-1]
            return scorer_named(self.scorer)(item.answers, value)
        return score_reply(self.scorer, item.answers, reply, tagged=self.tagged, reason=self.reason)
