"""Chapters of 120 to 180 tokens in varied wording."""

from __future__ import annotations

from random import Random

from sparsetol_suites.stories import vocabulary as v
from sparsetol_suites.stories.style import Chapter, Sentence, Style, Telling, with_article

SPARE = 12


def _tell(chapter: Chapter, sold: str | None, rng: Random) -> Telling:
    pick = rng.choice
    # A sale stands in for part of the talk, so that chapters are about equally long.
    talks = 2 if sold is None else 1
    sentences = [
        Sentence("place", pick(v.ARRIVALS).format(place=chapter.place, mood=pick(v.MOODS))),
        Sentence("other", _capital(f"{pick(v.SPOTS)} {pick(v.STATES)}, and {pick(v.NOISES)}.")),
        Sentence(
            "person",
            pick(v.ENCOUNTERS).format(
                corner=pick(v.CORNERS), person=chapter.person, trade=pick(v.TRADES), errand=pick(v.ERRANDS)
            ),
        ),
        *(
            Sentence("other", talk.format(topic=topic))
            for talk, topic in zip(rng.sample(v.TALKS, talks), rng.sample(v.TOPICS, talks), strict=True)
        ),
        Sentence(
            "item",
            pick(v.PURCHASES).format(item=with_article(chapter.item), shop=pick(v.SHOPS), price=pick(v.PRICES)),
        ),
        Sentence("other", pick(v.FAREWELLS)),
        Sentence("other", pick(v.CONCLUSIONS)),
    ]
    if sold is not None:
        sentences.insert(-2, Sentence("sale", pick(v.SALES).format(item=sold)))
    return Telling(tuple(sentences), tuple(rng.sample(v.REMARKS, SPARE)), spot=2)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


LONG = Style(items=(v.ADJECTIVES, v.MATERIALS, v.THINGS), tell=_tell, spare=SPARE, sales=0.5, usual=80)
