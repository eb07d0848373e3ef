"""Variables that hold a value through chains of assignments."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from sparsetol_suites.depth import places
from sparsetol_suites.errors import SuiteError
from sparsetol_suites.fit import fit
from sparsetol_suites.item import Draft, Item, Score, TokenCounter
from sparsetol_suites.scoring import find_answer, named, overlap
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.layout import lay_out
from sparsetol_suites.tasks.noise import among_noise
from sparsetol_suites.words import NOUNS

_LETTERS = 5
_NOUNS = frozenset(NOUNS)


@dataclass(frozen=True, kw_only=True)
class RulerVt(Task):
    """Assignments of chained variables among noise; asked for are the variables that hold one value.

    A chain is `Let A = 42.`, `Let B = A.`, `Let C = B.` and so on. Facts are the statements of the asked chain, in
    that order.

    Source: variable tracking of RULER, Hsieh et al. 2024, arXiv 2404.06654, as configured in The Sparse Frontier,
    arXiv 2504.17768: eight chains of four hops, variables of five capitals, values of five digits, all statements
    shuffled over noise that repeats five sentences.

    The statements of a chain are shuffled too, as there: a hop may point forward or backward, so that reading in order
    resolves no chain.

    Departures: the asked chain is spread evenly over the depth; noise goes sentence by sentence; the prompt shows no
    solved example; small models get nouns as variables and values of two digits.

    Attributes:
        chains: chains of assignments, each with a value of its own.
        hops: assignments of a chain after its first; it has one variable more.
        style: `characters`, or `words`: variables are nouns.

    """

    group: ClassVar[str] = "multi_hop"
    scope: ClassVar[Level] = "low"
    dispersion: ClassVar[Level] = "high"

    chains: int = 8
    hops: int = 4
    style: Literal["characters", "words"] = "characters"

    def __post_init__(self) -> None:
        if not 2 <= self.chains <= 64:
            raise SuiteError(f"chains: {self.chains} is not between 2 and 64")
        if not 1 <= self.hops <= 32:
            raise SuiteError(f"hops: {self.hops} is not between 1 and 32")
        variables = self.chains * self._variables
        if self.style == "words" and variables > len(NOUNS):
            raise SuiteError(f"chains x (hops + 1) is {variables}, more than {len(NOUNS)}, the number of nouns")

    @property
    def _variables(self) -> int:
        """Variables of a chain."""
        return self.hops + 1

    @property
    def chance(self) -> float:
        """Score of naming every variable of the context, the best that can be done without following a chain."""
        return 1 / self.chains

    @property
    def answer_tokens(self) -> int:
        """Twice what the asked names take."""
        return self._variables * (14 if self.style == "characters" else 6) + 16

    @property
    def usual_tokens(self) -> int:
        """Names and the commas between them."""
        return self._variables * (5 if self.style == "characters" else 2) - 1

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """Noise up to the length, the asked chain's statements spread over the depth, the others among them."""
        rng = draw.rng
        names = self._names(rng)
        values = self._values(rng)
        chains = [[next(names) for _ in range(self._variables)] for _ in range(self.chains)]
        statements = [
            f"Let {name} = {source}."
            for chain, value in zip(chains, values, strict=True)
            for name, source in zip(chain, [value, *chain], strict=False)
        ]
        # The same places however much noise is tried.
        seed = rng.getrandbits(64)

        def build(noise: int) -> Draft:
            placing = Random(seed)
            slots = noise + len(statements)
            asked = places(self._variables, draw.index, placing, slots)
            taken = set(asked)
            free = [slot for slot in range(slots) if slot not in taken]
            others = placing.sample(free, len(statements) - self._variables)
            chosen = [*asked, *others]
            context, spans = among_noise(dict(zip(chosen, statements, strict=True)), slots)
            return lay_out(
                intro=(
                    "Here is a text with variables. A variable that is set to another variable holds the same value, "
                    "wherever the two sentences stand."
                ),
                context=context,
                question=self._question(values[0]),
                question_first=self.question_first,
                answers=chains[0],
                facts=[spans[slot] for slot in asked],
            )

        return fit(build, length, counter)

    def _names(self, rng: Random) -> Iterator[str]:
        """Different names, in random order."""
        if self.style == "words":
            yield from rng.sample(NOUNS, len(NOUNS))
        seen: set[str] = set()
        while True:
            name = "".join(rng.choices(string.ascii_uppercase, k=_LETTERS))
            if name not in seen:
                seen.add(name)
                yield name

    def _values(self, rng: Random) -> list[str]:
        """A different value for each chain."""
        least = 10 if self.style == "words" else 10_000
        return [str(value) for value in rng.sample(range(least, 10 * least), self.chains)]

    def _question(self, value: str) -> str:
        wrapped = " inside <answer></answer>" if self.tagged else ""
        return (
            f"Which {self._variables} variables hold the value {value}? "
            f"Begin with the one that is set to {value}. "
            f"Reply with the names of the variables{wrapped}, separated by commas."
        )

    def perfect_reply(self, item: Item) -> str:
        """The reply that the prompt asks for, worth 1."""
        reply = ", ".join(item.answers)
        return f"<answer>{reply}</answer>" if self.tagged else reply

    def score(self, item: Item, reply: str) -> Score:
        """Intersection over union of the variables named and those that hold the value; their order is free."""
        text = find_answer(reply, tagged=self.tagged)
        return overlap(item.answers, named(text or "", self._is_name))

    def _is_name(self, word: str) -> bool:
        return word.lower() in _NOUNS if self.style == "words" else len(word) == _LETTERS and word.isupper()
