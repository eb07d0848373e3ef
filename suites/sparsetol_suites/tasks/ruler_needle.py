"""Retrieval of numbers from sentences among noise: what very small models can do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from sparsetol_suites.depth import places
from sparsetol_suites.errors import SuiteError
from sparsetol_suites.fit import fit
from sparsetol_suites.item import MISSING, Draft, Item, Score, TokenCounter
from sparsetol_suites.scoring import find_answer
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.layout import lay_out
from sparsetol_suites.tasks.noise import among_noise
from sparsetol_suites.words import PLACES

_NUMBER = re.compile(r"\d[\d,]*")


@dataclass(frozen=True, kw_only=True)
class RulerNeedle(Task):
    """Places with secret numbers, told in single sentences among noise; some of the numbers are asked for.

    Source: the single and multi-key needle tasks with a noise haystack of RULER, Hsieh et al. 2024, arXiv 2404.06654.

    Departures: places and numbers of four digits; answers are whole sentences, so that decoding is exercised.

    Attributes:
        queries: places asked for.
        others: places told of and not asked for.

    """

    group: ClassVar[str] = "single_qa"
    scope: ClassVar[Level] = "low"
    dispersion: ClassVar[Level] = "low"

    queries: int = 1
    others: int = 0

    def __post_init__(self) -> None:
        if self.queries < 1 or self.others < 0 or self.queries + self.others > len(PLACES):
            raise SuiteError(f"queries and others: 1 and 0 at least, together {len(PLACES)} at most")

    @property
    def chance(self) -> float:
        """Naming any of the numbers."""
        return 1 / (self.queries + self.others) if self.queries + self.others > 1 else 0.0

    @property
    def answer_tokens(self) -> int:
        """Twice what the sentences take."""
        return 32 * self.queries

    @property
    def usual_tokens(self) -> int:
        """A sentence for each place."""
        return 10 * self.queries

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """Noise up to the length, the asked sentences spread over the depth."""
        rng = draw.rng
        told = rng.sample(PLACES, self.queries + self.others)
        numbers = [str(number) for number in rng.sample(range(1000, 10000), len(told))]
        sentences = [f"The secret number of {place} is {number}." for place, number in zip(told, numbers, strict=True)]
        seed = rng.getrandbits(64)

        def build(noise: int) -> Draft:
            slots = noise + len(told)
            chosen = places(len(told), draw.index, Random(seed), slots)
            context, spans = among_noise(dict(zip(chosen, sentences, strict=True)), slots)
            return lay_out(
                intro="Here is a text with secret numbers in it.",
                context=context,
                question=self._question(told[: self.queries]),
                question_first=self.question_first,
                answers=[f"{place}: {number}" for place, number in zip(told, numbers, strict=True)][: self.queries],
                facts=[spans[slot] for slot in chosen[: self.queries]],
            )

        return fit(build, length, counter)

    def _question(self, asked: list[str]) -> str:
        wrapped = " inside <answer></answer>" if self.tagged else ""
        if len(asked) == 1:
            return (
                f"What is the secret number of {asked[0]}? Reply with one sentence{wrapped}, "
                f"written as The secret number of {asked[0]} is the number."
            )
        return (
            f"What are the secret numbers of {', '.join(asked[:-1])} and {asked[-1]}? "
            f"Reply with one sentence for each place{wrapped}, written as The secret number of the place is the number."
        )

    def perfect_reply(self, item: Item) -> str:
        """The reply that the prompt asks for, worth 1."""
        pairs = [answer.split(": ") for answer in item.answers]
        reply = "\n".join(f"The secret number of {place} is {number}." for place, number in pairs)
        return f"<answer>{reply}</answer>" if self.tagged else reply

    def score(self, item: Item, reply: str) -> Score:
        """Share of the asked places after whose name, before the next number's place, the right number comes first.

        A single place need not be named; a reply with more than one number is then wrong.
        """
        text = find_answer(reply, tagged=self.tagged) or ""
        numbers = [found.replace(",", "") for found in _NUMBER.findall(text)]
        if not numbers:
            return MISSING
        pairs = [answer.split(": ") for answer in item.answers]
        if len(pairs) == 1:
            return Score(float(set(numbers) == {pairs[0][1]}))
        right = 0
        for place, number in pairs:
            _, named, rest = text.partition(place)
            found = _NUMBER.search(rest) if named else None
            right += found is not None and found[0].replace(",", "") == number
        return Score(right / len(pairs))
