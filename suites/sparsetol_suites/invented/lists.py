"""Words that the long documents are made of, beside the common ones. Changing a list changes items."""

from __future__ import annotations

from sparsetol_suites.words import ADJECTIVES, NAMES, NOUNS, PLACES


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_PLURALS = _split(
    """
    anchors badges baskets bells blankets boots bottles bowls brooms brushes buckets buttons candles chains coins
    combs compasses cups drums feathers flutes gloves hammers hats helmets hooks jars kettles keys kites ladders
    lamps lanterns lockets magnets maps masks mirrors nails needles paddles parcels pebbles pencils pillows pipes
    plates ribbons ropes saddles sandals scarves shells spades spoons stamps stools teapots trumpets umbrellas
    whistles
    """
)

WORDS: dict[str, tuple[str, ...]] = {
    "adjective": ADJECTIVES,
    "noun": NOUNS,
    "things": _PLURALS,
    "first": NAMES,
    "place": PLACES,
    "animal": _split(
        "badger donkey falcon ferret fox goat goose hare hedgehog heron magpie otter owl pony raven turtle"
    ),
    "building": _split("barn brewery chapel cottage farmhouse granary inn lighthouse mill smithy stable tower"),
    "shop": _split("apothecary bakery butchery dairy laundry pharmacy pottery tannery tavern theatre"),
    "landform": _split("beach cliff dune heath hillside island lakeshore marsh meadow moor ridge riverbank"),
    "trade": _split(
        "baker binder cobbler cooper dyer engraver gardener glazier mason potter saddler tailor tinsmith weaver"
    ),
    "people": _split(
        "butchers carters dentists drummers farmers fishermen judges lawyers miners nurses pilots sailors"
    ),
    "mood": _split(
        "anxious cheerful forgetful former hopeful nervous overworked retired sleepless stubborn unlucky wealthy"
    ),
    "lesson": _split(
        "archery beekeeping chess dancing drawing fencing handwriting juggling needlework riding singing skating"
    ),
    "base": _split("barley bean cabbage carrot chestnut leek lentil mushroom onion pea plum potato turnip"),
    "food": _split("almonds apples beets figs lemons mussels olives peppers pickles prunes radishes raisins walnuts"),
    "herb": _split("chives cress dill fennel garlic lovage mint mustard nettles parsley sage sorrel thyme"),
    "dish": _split("casserole dumplings fritters hotpot noodles pancakes pie porridge pudding soup stew"),
    "drink": (
        "beer",
        "buttermilk",
        "cider",
        "honey water",
        "mead",
        "red wine",
        "rose water",
        "vinegar",
    ),
    "institution": (
        "brass band",
        "fire brigade",
        "hospital",
        "library",
        "monastery",
        "orphanage",
        "rowing club",
        "school",
    ),
    "material": _split("beams bricks doors floorboards gravestones gutters rails shutters stones tiles"),
    "act": _split("climbing carrying crossing painting passing repairing sweeping touching visiting washing"),
    "object": _split("bridges cellars chimneys graveyards ladders mirrors quarries rooftops staircases tunnels wells"),
    "moment": (
        "after dark",
        "at noon",
        "before breakfast",
        "in heavy rain",
        "in thick fog",
        "on Sundays",
        "without a lamp",
    ),
    "day": _split("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "month": _split("January February March April May June July August September October November December"),
    "number": _split(
        "eleven twelve fourteen sixteen nineteen twenty-two thirty-one forty fifty-five sixty seventy ninety"
    ),
}
