"""Answers questions about journals from the prompt alone, by what a reader would look for."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEADING = re.compile(r"^Chapter (\d+)$", flags=re.MULTILINE)
_BOUGHT = (
    re.compile(r"\b(?:bought|purchased|acquired) an? (.+?)(?: for | at |[,.])"),
    re.compile(r"\b(?:came away with|saw|resist) an? (.+?)(?: at |,).*\bbought\b"),
    re.compile(r"\bwanted .+ for an? (.+?), and I bought it"),
)
_SOLD = re.compile(r"\bsold the (.+?)(?: to | that |[,.])|\bThe (.+?) from my bag .* sold it")
_MET = re.compile(r"\b(?:met|acquaintance of|fell in with|got talking to) ([A-Z]\w+)")
_CAPITALISED = re.compile(r"(?<=[a-z,] )[A-Z]\w+")
_COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}


@dataclass(frozen=True)
class Read:
    """What a chapter says; `bought` and `sold` hold all there is."""

    number: int
    text: str
    place: str
    person: str
    bought: tuple[str, ...]
    sold: tuple[str, ...]


def read(prompt: str) -> list[Read]:
    """The chapters of a journal, in the order of their numbers."""
    headings = list(_HEADING.finditer(prompt))
    chapters = []
    for heading in headings:
        # A blank line ends a chapter.
        text = prompt[heading.end() :].lstrip("\n").split("\n\n")[0]
        sentences = re.split(r"(?<=\.) ", text)
        bought = [match[1] for match in map(_purchase, sentences) if match]
        sold = [match[1] or match[2] for match in map(_SOLD.search, sentences) if match]
        met = _MET.findall(text)
        places = _CAPITALISED.findall(sentences[0])
        assert len(met) == 1, text
        assert len(places) == 1, text
        chapters.append(Read(int(heading[1]), text, places[0], met[0], tuple(bought), tuple(sold)))
    return sorted(chapters, key=lambda chapter: chapter.number)


def _purchase(sentence: str) -> re.Match[str] | None:
    return next((match for match in (pattern.search(sentence) for pattern in _BOUGHT) if match), None)


def solve(prompt: str) -> str:
    """The reply to a prompt of one of the three narrative tasks."""
    chapters = read(prompt)
    question = prompt.rsplit("\n\n", 1)[-1]
    before = re.search(r"last before I bought the (.+?)\?", question)
    if before:
        return _previous(chapters, before[1])
    count = re.search(r"In exactly (\w+) chapters? I buy nothing", question)
    if count:
        empty = [chapter.number for chapter in chapters if not chapter.bought]
        assert len(empty) == _COUNTS[count[1]]
        return ("Chapters " if len(empty) > 1 else "Chapter ") + ", ".join(map(str, empty))
    by_number = {chapter.number: chapter for chapter in chapters}
    lines = []
    for number, chapter, lead in re.findall(r"^(\d+)\. Chapter (\d+): (.+) ___$", question, flags=re.MULTILINE):
        told = by_number[int(chapter)]
        if lead == "I bought":
            fact = ("an " if told.bought[0][0] in "aeiou" else "a ") + told.bought[0]
        else:
            fact = {"I came to": told.place, "I met": told.person}[lead]
        lines.append(f"{number}. Chapter {chapter}: {lead} {fact}")
    return "\n".join(lines)


def _previous(chapters: list[Read], given: str) -> str:
    purchases = [item for chapter in chapters for item in chapter.bought]
    return f"Before the {given} came the {purchases[purchases.index(given) - 1]}."
