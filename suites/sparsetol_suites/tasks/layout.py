"""The order of a prompt's parts, and where facts stand in it."""

from __future__ import annotations

from collections.abc import Iterable

from sparsetol_suites.item import Draft, Fact


def lay_out(
    *,
    intro: str,
    context: str,
    question: str,
    question_first: bool,
    answers: Iterable[str],
    facts: Iterable[tuple[int, int]],
    cluster: str = "",
) -> Draft:
    """Intro, context, question; with `question_first` the question stands before the context too.

    Args:
        intro: what the context is.
        context: the long part.
        question: question and instructions.
        question_first: as in the prompts of The Sparse Frontier, arXiv 2504.17768.
        answers: see `Draft`.
        facts: characters of the context, start and end of each fact.
        cluster: see `Draft`.

    """
    head = f"{intro}\n{question}\n\n" if question_first else f"{intro}\n\n"
    return Draft(
        message=f"{head}{context}\n\n{question}",
        answers=tuple(answers),
        facts=tuple(Fact(start + len(head), end + len(head)) for start, end in facts),
        cluster=cluster,
        question=len(head) + len(context) + 2,
    )
