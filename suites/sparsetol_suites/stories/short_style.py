"""Chapters of about 25 tokens in regular wording and few words, for small models and short contexts."""

from __future__ import annotations

from random import Random

from sparsetol_suites.stories.style import Chapter, Sentence, Style, Telling, listed, with_article

ADJECTIVES = listed(
    """
    amber black blue brass bright broken brown clean copper coral crisp dark dry dusty empty fine firm flat giant
    glass golden grand green grey hard heavy huge iron ivory large light little long narrow neat new noble odd old
    orange pale plain purple rare red round royal rusty sharp shiny short silver simple slim small smooth soft solid
    spare strange strong tall thick thin tidy tiny violet warm white wide wooden yellow
    """
)

THINGS = listed(
    """
    badge bag ball banner barrel basket bead bell belt bench blanket bone book boot bottle bowl box broom brush bucket
    button cage camera candle canoe carpet cart chain chair chest clock cloth coat coin comb compass cord cradle crown
    cup curtain desk diamond dish dress drum engine feather flag flute fork gift glove guitar hammer hat helmet hook
    jacket jar jewel kettle key kite knife ladder lamp lantern lens letter lock magnet map mask medal mirror nail
    necklace needle net oar paddle pan paper parcel pen pencil piano picture pillow pin pipe plate pot purse puzzle
    quilt radio ribbon ring robe rope rug saddle sail sandal scarf shell shield shirt shoe shovel sign skirt sled spade
    spoon stamp statue stool stove sword table tent ticket torch toy tray trumpet trunk umbrella vase veil vest violin
    wagon wallet watch wheel whistle
    """
)

SCENERY = listed("bridge field forest garden gate hill meadow mill moon pond river road roof stream tower wall")

LOOKS = listed("calm clear cold cool deep distant faint gentle hidden high lonely quiet silent steep sunny wild")


def _tell(chapter: Chapter, sold: str | None, rng: Random) -> Telling:
    remarks = tuple(f"The {seen} was {rng.choice(LOOKS)}." for seen in rng.sample(SCENERY, 1 + SPARE))
    sentences = [
        Sentence("place", f"I came to {chapter.place}."),
        Sentence("person", f"I met {chapter.person}."),
        Sentence("item", f"I bought {with_article(chapter.item)}."),
    ]
    if sold is not None:
        sentences.append(Sentence("sale", f"I sold the {sold}."))
    sentences.append(Sentence("other", remarks[0]))
    return Telling(tuple(sentences), remarks[1:], len(sentences))


SPARE = 5

SHORT = Style(items=(ADJECTIVES, THINGS), tell=_tell, spare=SPARE, sales=0.0, usual=12)
