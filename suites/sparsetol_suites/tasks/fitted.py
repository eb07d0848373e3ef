"""Fitting a context of words into a length, with errors that name the record."""

from __future__ import annotations

from collections.abc import Callable

from sparsetol_suites.errors import LengthError
from sparsetol_suites.fit import fit
from sparsetol_suites.item import Draft, TokenCounter


def fitted(
    build: Callable[[int], Draft], length: int, counter: TokenCounter, *, most: int | None, record: str, words: int
) -> Draft:
    """As `fit`, from no words of filler on.

    Args:
        build: makes a draft with so many words of filler.
        length: tokens of the whole prompt.
        counter: of the model under test.
        most: words of filler that there are, None where they do not end.
        record: id of what is asked; empty for invented questions.
        words: of what is asked about.

    Raises:
        LengthError: what is asked about does not fit, or filler does not reach.

    """
    of = f"record {record!r}: " if record else ""
    alone = counter.prompt(build(0).message)
    if alone > length:
        advice = f"; with document_words under {words} such records are left out" if record else ""
        raise LengthError(f"{of}the prompt has {alone} tokens without any filler, more than {length}{advice}")
    try:
        return fit(build, length, counter, least=0, most=most)
    except LengthError as error:
        raise LengthError(f"{of}{error}; add records, or name a longer text as filler") from None
