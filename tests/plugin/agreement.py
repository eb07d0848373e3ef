"""A task for tests: does the model still say what it said when dense?

Its references are what a tiny random model answers with dense attention, so that dense scores 1 and a policy that
changes answers loses.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sparsetol_suites.item import MISSING, Draft, Fact, Item, Score, TokenCounter
from sparsetol_suites.task import Draw, Level, Task

QUESTION = 6
"""Words at the end that are the question."""


def key(message: str) -> str:
    """How the file of references names a message."""
    return hashlib.sha256(message.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Agreement(Task):
    """Random words; the answer is what `references` says.

    Attributes:
        references: JSON file, by `key` of the message; without it every reply scores 0.
        tokens: budget of new tokens.

    """

    group: ClassVar[str] = "single_qa"
    scope: ClassVar[Level] = "low"
    dispersion: ClassVar[Level] = "low"

    data: Path
    tokens: int = 8

    @property
    def chance(self) -> float:
        """Nothing is right by chance."""
        return 0.0

    @property
    def answer_tokens(self) -> int:
        """As the suite says."""
        return self.tokens

    @property
    def usual_tokens(self) -> int:
        """As the suite says."""
        return self.tokens

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """Words of the tiny model's vocabulary."""
        words = [f"w{draw.rng.randrange(5, 256)}" for _ in range(length)]
        while counter.prompt(" ".join(words)) > length:
            words.pop()
        asked = len(" ".join(words[:-QUESTION])) + 1
        return Draft(" ".join(words), (), (Fact(0, 1),), question=asked)

    def score(self, item: Item, reply: str) -> Score:
        """1 for the reference, 0 for anything else."""
        if not reply.strip():
            return MISSING
        wanted = json.loads(self.data.read_text()) if self.data.exists() else {}
        return Score(float(reply == wanted.get(key(item.prompt))))
