"""Retrieval of values by key among look-alike pairs."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from sparsetol_suites.depth import places
from sparsetol_suites.errors import SuiteError
from sparsetol_suites.fit import fit
from sparsetol_suites.item import MISSING, Draft, Item, Score, TokenCounter
from sparsetol_suites.scoring import find_answer, lines, numbered, words
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.layout import lay_out
from sparsetol_suites.words import ADJECTIVES, NOUNS

_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
# Prose calls a key a key: as a value it would be seen everywhere.
_VALUES = tuple(noun for noun in NOUNS if noun != "key")


@dataclass(frozen=True, kw_only=True)
class RulerNiah(Task):
    """A list of key-value pairs, some of which are asked for; all the others are distractors of the same form.

    Source: the multi-query needle task of RULER, Hsieh et al. 2024, arXiv 2404.06654, as configured in The Sparse
    Frontier, arXiv 2504.17768: four queries, keys and values of four groups of eight characters, the whole context
    made of pairs.

    Departures: pairs stand one a line, `key: value`; small models get words in place of characters.

    Attributes:
        queries: keys asked for.
        style: `characters`, or `words`: a key is an adjective and a noun, a value a noun.

    """

    group: ClassVar[str] = "multi_qa"
    scope: ClassVar[Level] = "low"
    dispersion: ClassVar[Level] = "low"

    queries: int = 4
    style: Literal["characters", "words"] = "characters"

    def __post_init__(self) -> None:
        if not 1 <= self.queries <= 64:
            raise SuiteError(f"queries: {self.queries} is not between 1 and 64")

    @property
    def chance(self) -> float:
        """Nothing is right by chance."""
        return 0.0

    @property
    def answer_tokens(self) -> int:
        """Twice what the asked pairs take."""
        return self.queries * (100 if self.style == "characters" else 16) + 16

    @property
    def usual_tokens(self) -> int:
        """Key and value of each pair."""
        return self.queries * (50 if self.style == "characters" else 5)

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """Pairs up to the length, the asked ones spread over the depth."""
        rng = draw.rng
        pairs = _Pairs(self.style, rng)
        asked = [pairs.new() for _ in range(self.queries)]
        # The same places and distractors however many pairs are tried.
        seed = rng.getrandbits(64)

        def build(distractors: int) -> Draft:
            while len(pairs.others) < distractors:
                pairs.others.append(pairs.new())
            slots = places(len(asked), draw.index, Random(seed), distractors + len(asked))
            lines: list[tuple[str, str] | None] = [None] * (distractors + len(asked))
            for pair, slot in zip(asked, slots, strict=True):
                lines[slot] = pair
            rest = iter(pairs.others)
            texts = [f"{key}: {value}" for key, value in (line or next(rest) for line in lines)]
            starts = [0]
            for text in texts:
                starts.append(starts[-1] + len(text) + 1)
            return lay_out(
                intro=f"Here is a list of keys, each with its {self._what}.",
                context="\n".join(texts),
                question=self._question([key for key, _ in asked]),
                question_first=self.question_first,
                answers=[f"{key}: {value}" for key, value in asked],
                facts=[(starts[slot], starts[slot] + len(texts[slot])) for slot in slots],
            )

        return fit(build, length, counter)

    @property
    def _what(self) -> str:
        """What small models are asked for is no value: they would say a number."""
        return "value" if self.style == "characters" else "word"

    def _question(self, keys: list[str]) -> str:
        wrapped = " inside <answer></answer>" if self.tagged else ""
        # Lines with a gap: asked for keys alone, small models copy them.
        if len(keys) == 1:
            return (
                f"Which {self._what} has this key in the list?\n{keys[0]}: ___\n"
                f"Reply with this line, completed{wrapped}."
            )
        listed = "\n".join(f"{number}. {key}: ___" for number, key in enumerate(keys, start=1))
        return (
            f"Which {self._what}s have these keys in the list?\n{listed}\n"
            f"Reply with these numbered lines, completed{wrapped}."
        )

    def perfect_reply(self, item: Item) -> str:
        """The reply that the prompt asks for, worth 1."""
        listed = [f"{number}. {answer}" for number, answer in enumerate(item.answers, start=1)]
        reply = "\n".join(listed) if len(listed) > 1 else item.answers[0]
        return f"<answer>{reply}</answer>" if self.tagged else reply

    def score(self, item: Item, reply: str) -> Score:
        """Share of the asked keys whose entry names the key and its value and no other value.

        Numbered entries are read by number, others by the key that they name. A single key need not be repeated.
        """
        text = find_answer(reply, tagged=self.tagged) or ""
        pairs = [(key, value) for key, _, value in (answer.partition(": ") for answer in item.answers)]
        without_keys = functools.reduce(_without, (key for key, _ in pairs), text)
        if not self._values(without_keys):
            # A wrong word is an answer, a sentence without a value is none.
            rest = words(without_keys)
            return Score(0.0) if len(rest) == 1 and not rest[0].isdigit() else MISSING
        if len(pairs) == 1:
            return Score(float(self._right(text, *pairs[0])))
        by_number = numbered(text)
        parts = [part for line in lines(text) for part in re.split(r"[,;]\s", line)]
        right = 0
        for number, (key, value) in enumerate(pairs, start=1):
            entry = by_number.get(number, "") if by_number else next((part for part in parts if _has(part, key)), "")
            right += _has(entry, key) and self._right(entry, key, value)
        return Score(right / len(pairs))

    def _right(self, text: str, key: str, value: str) -> bool:
        return self._values(_without(text, key)) == {value}

    def _values(self, text: str) -> set[str]:
        """What can be values in the text."""
        if self.style == "characters":
            return set(_CODE.findall(text.lower()))
        return set(words(text)).intersection(_VALUES)


class _Pairs:
    """Draws pairs whose keys are all different."""

    def __init__(self, style: str, rng: Random) -> None:
        self._style = style
        self._rng = rng
        self._seen: set[str] = set()
        self.others: list[tuple[str, str]] = []

    def new(self) -> tuple[str, str]:
        key = self._key()
        while key in self._seen:
            key = self._key()
        self._seen.add(key)
        return key, self._code() if self._style == "characters" else self._rng.choice(_VALUES)

    def _key(self) -> str:
        if self._style == "characters":
            return self._code()
        return f"{self._rng.choice(ADJECTIVES)} {self._rng.choice(NOUNS)}"

    def _code(self) -> str:
        return "-".join("".join(self._rng.choices(_CHARACTERS, k=8)) for _ in range(4))


def _without(text: str, key: str) -> str:
    return re.sub(re.escape(key), " ", text, flags=re.IGNORECASE)


def _has(text: str, key: str) -> bool:
    return f" {' '.join(words(key))} " in f" {' '.join(words(text))} "
