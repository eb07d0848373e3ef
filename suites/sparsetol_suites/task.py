"""What every task is: a frozen dataclass of parameters with a generator, a parser and a scorer.

A task of one's own subclasses `Task` and is named in the entry point group `sparsetol.tasks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import ClassVar, Literal

from sparsetol_suites.item import Draft, Item, Score, TokenCounter

Level = Literal["low", "high"]


@dataclass(frozen=True)
class Draw:
    """Which item is wanted.

    Attributes:
        rng: seeded by suite, version, task, length, seed and index, so that no two runs share items by accident.
        seed: the contract's.
        index: number of the item, from 0.

    """

    rng: Random
    seed: int
    index: int


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """A kind of question.

    Class attributes:
        group: traffic that it stands for, unless the suite says otherwise.
        scope: how many facts an answer needs.
        dispersion: how hard these are to find and how far apart they lie.

    Attributes:
        question_first: the question stands before the context too, as in the paper's prompts.
        tagged: replies must hold `<answer>...</answer>`; without it the reply's end or the whole reply is read.

    """

    group: ClassVar[str]
    scope: ClassVar[Level]
    dispersion: ClassVar[Level]

    question_first: bool = False
    tagged: bool = False

    @property
    @abstractmethod
    def chance(self) -> float:
        """Mean score of guessing."""

    @property
    @abstractmethod
    def answer_tokens(self) -> int:
        """Budget of new tokens for an answer, an explanation included where the prompt asks for one."""

    @property
    @abstractmethod
    def usual_tokens(self) -> int:
        """Tokens that a right answer takes at least, with a tokenizer of about 1.3 tokens a word."""

    @abstractmethod
    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """Make a question whose whole prompt has 95 to 100 % of `length` tokens.

        Raises `LengthError` where that cannot be.
        """

    @abstractmethod
    def score(self, item: Item, reply: str) -> Score:
        """What a reply is worth."""

    def available(self) -> int | None:
        """Number of different items, None for as many as one likes."""
        return None

    def data_files(self) -> tuple[Path, ...]:
        """Files that the items are made from; their content is part of a suite's fingerprint."""
        return ()

    def data_digest(self) -> str:
        """SHA-256 of data that is in no local file; empty where there is none."""
        return ""

    def parts(self, group: str | None, scope: Level | None, dispersion: Level | None) -> tuple[Part, ...]:
        """What an entry of a suite becomes: usually one task, with the entry's labels or else the class's.

        A task whose data name groups of their own is split by group.
        """
        return (Part("", group or self.group, scope or self.scope, dispersion or self.dispersion, self),)


@dataclass(frozen=True)
class Part:
    """A task with its labels.

    Attributes:
        name: added to the suite entry's name; empty for the whole.
        group: traffic that it stands for.
        scope: how many facts an answer needs.
        dispersion: how hard they are to find.
        task: the task.

    """

    name: str
    group: str
    scope: Level
    dispersion: Level
    task: Task
