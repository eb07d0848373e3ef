"""What a task makes and what a reply to it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class TokenCounter(Protocol):
    """Counts tokens of whole prompts, as the model under test will see them."""

    def prompt(self, message: str) -> int:
        """Tokens of the prompt that one user message becomes, chat template included."""


@dataclass(frozen=True)
class Fact:
    """Where something that the answer needs stands in the message.

    Attributes:
        start: first character of it.
        end: the character after its last.

    """

    start: int
    end: int


@dataclass(frozen=True)
class Draft:
    """One question as a task makes it, before it belongs to a suite.

    Attributes:
        message: what the user says: context, question and instructions.
        answers: the reference; what the entries mean is the task's own (alternatives, or a list to be named).
        facts: what the answer needs, in order of hops, else in order of `answers`.
        cluster: name of the document that the question shares with others; empty where it stands alone.
        scorer: name of the scorer where a task's questions have different ones.
        question: first character of the question after the context, None where the task does not say.

    """

    message: str
    answers: tuple[str, ...]
    facts: tuple[Fact, ...]
    cluster: str = ""
    scorer: str = ""
    question: int | None = None


@dataclass(frozen=True)
class Item:
    """One question of a suite.

    Attributes:
        id: suite task, seed and index: the same item has the same id everywhere.
        prompt: the user message.
        answers: see `Draft`.
        facts: see `Draft`.
        cluster: items of one cluster share a document and are not independent.
        scorer: see `Draft`.
        question: see `Draft`.

    """

    id: str
    prompt: str
    answers: tuple[str, ...]
    facts: tuple[Fact, ...]
    cluster: str
    scorer: str = ""
    question: int | None = None


@dataclass(frozen=True)
class Score:
    """What a reply is worth.

    Attributes:
        value: in [0, 1].
        missing: whether the reply holds nothing that could be an answer; its value is 0.

    """

    value: float
    missing: bool = False


MISSING = Score(0.0, missing=True)
"""No answer counts as wrong, never as absent: a collapse must not look perfect."""
