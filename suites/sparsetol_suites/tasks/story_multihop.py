"""Which item was bought before another: two facts, of which the second is found only through the first."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from sparsetol_suites.depth import places
from sparsetol_suites.fit import fit
from sparsetol_suites.item import MISSING, Draft, Item, Score, TokenCounter
from sparsetol_suites.scoring import find_answer
from sparsetol_suites.stories.named import items_named
from sparsetol_suites.stories.story import Story, parts
from sparsetol_suites.stories.styles import STYLES, StyleName
from sparsetol_suites.task import Draw, Level, Task
from sparsetol_suites.tasks.layout import lay_out


@dataclass(frozen=True, kw_only=True)
class StoryMultihop(Task):
    """A journal in which something is bought in every chapter; asked is the last purchase before a given one.

    Source: Story Multi-hop of The Sparse Frontier, arXiv 2504.17768.

    Departures: narratives of our own; no explanation before the answer; the given item is restated before it.

    Attributes:
        style: `long`, chapters of 120 to 180 tokens, or `short`, about 25 in regular wording.

    """

    group: ClassVar[str] = "multi_hop"
    scope: ClassVar[Level] = "low"
    dispersion: ClassVar[Level] = "high"

    style: StyleName = "long"

    @property
    def chance(self) -> float:
        """Some other item of the story, drawn blindly, in the shortest stories."""
        return 1 / (STYLES[self.style].usual - 1)

    @property
    def answer_tokens(self) -> int:
        """Twice what the sentence takes."""
        return 64 if self.style == "long" else 40

    @property
    def usual_tokens(self) -> int:
        """The sentence that the prompt asks for, up to the answer's end."""
        return 4 + 2 * len(STYLES[self.style].items)

    def draft(self, length: int, counter: TokenCounter, draw: Draw) -> Draft:
        """A story up to the length, the given item in any chapter but the first."""
        style = STYLES[self.style]
        story = Story(style, Random(draw.rng.getrandbits(64)))
        seed = draw.rng.getrandbits(64)

        def build(units: int) -> Draft:
            chapters, spare = parts(units, style)
            text = story.text(chapters, spare)
            before = places(1, draw.index, Random(seed), chapters - 1)[0]
            given = story.chapter(before + 1).item
            return lay_out(
                intro="Here is my journal. In each chapter I come to a place, meet a person and buy an item.",
                context=text.text,
                question=self._question(given),
                question_first=self.question_first,
                answers=[story.chapter(before).item, given],
                facts=[text.facts[before + 1]["item"], text.facts[before]["item"]],
            )

        return fit(build, length, counter, least=2 * style.spare, most=style.capacity * style.spare)

    def _question(self, given: str) -> str:
        wrapped = " inside <answer></answer>" if self.tagged else ""
        return (
            f"Which item did I buy last before I bought the {given}?\n"
            f"Reply with one sentence{wrapped}, written as Before the {given} came the item."
        )

    def perfect_reply(self, item: Item) -> str:
        """The reply that the prompt asks for, worth 1."""
        reply = f"Before the {item.answers[1]} came the {item.answers[0]}."
        return f"<answer>{reply}</answer>" if self.tagged else reply

    def score(self, item: Item, reply: str) -> Score:
        """1 where the reply names the answer and no other item, the given one aside.

        `item.answers` holds the answer and the given item.
        """
        text = find_answer(reply, tagged=self.tagged)
        if text is None:
            return MISSING
        answer, given = item.answers
        named = items_named(text, STYLES[self.style])
        if not named:
            return MISSING
        return Score(float(named - {given} == {answer}))
