"""One question about one document."""

from __future__ import annotations

from dataclasses import dataclass

from sparsetol_suites.records.document import Document
from sparsetol_suites.records.places import find_first

LETTERS = "ABCD"
"""Letters of choices, in order; four choices are the most that there can be."""


@dataclass(frozen=True)
class Question:
    """A question with what is right.

    Attributes:
        id: the record's own; empty for invented ones.
        document: what it is about.
        text: the question.
        answers: alternatives or, where there are options, all right letters.
        options: the choices.
        evidence: start and end, in characters of the document, of each fact that the answer needs; empty where it is
            not known.
        stem: how an answer begins where it is a sentence; what follows it is the answer.

    """

    id: str
    document: Document
    text: str
    answers: tuple[str, ...]
    options: tuple[str, ...] = ()
    evidence: tuple[tuple[int, int], ...] = ()
    stem: str = ""

    def places(self) -> tuple[tuple[int, int], ...]:
        """The evidence where it is known, else the first place of the first answer that occurs in the document.

        The whole document where none of them occurs, or where they are letters.
        """
        if self.evidence:
            return self.evidence
        found = None if self.options else find_first(self.answers, self.document.text)
        return (found or (0, len(self.document.text)),)


def lettered(options: tuple[str, ...]) -> str:
    """The choices as prompts list them."""
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
