"""Short documents in regular sentences of common words, for small models."""

from __future__ import annotations

from sparsetol_suites.invented.kind import Attribute, Kind
from sparsetol_suites.words import ADJECTIVES, NAMES, PLACES

_VALUES = {
    "pet": "a {adjective} {animal}",
    "home": "the {adjective} {building} of {place}",
    "tool": "a {adjective} {tool}",
    "meal": "{adjective} {food} and {adjective} {food}",
    "instrument": "a {adjective} {instrument}",
    "ride": "a {adjective} {ride}",
    "friend": "{first} {place}",
    "gift": "a {adjective} {gift}",
    "dress": "a {adjective} {garment} and a {adjective} {garment}",
}


def _attribute(key: str, value: str) -> Attribute:
    stem = f"The {key} of {{name}} is"
    return Attribute(
        key=key,
        value=value,
        sentences=(f"{stem} {{value}}.",),
        question=f"What is the {key} of {{name}}?",
        statement=f"{stem} {{value}}.",
        stem=stem,
    )


PEOPLE = Kind(
    name="{first} {place}",
    attributes=tuple(_attribute(key, value) for key, value in _VALUES.items()),
    words={
        "adjective": ADJECTIVES,
        "first": NAMES,
        "place": PLACES,
        "animal": (
            "eagle",
            "falcon",
            "fox",
            "goat",
            "hawk",
            "horse",
            "lion",
            "owl",
            "rabbit",
            "raven",
            "turtle",
            "wolf",
        ),
        "building": ("cabin", "castle", "cottage", "farm", "house", "mill", "school", "tower", "barn", "inn"),
        "tool": (
            "broom",
            "brush",
            "comb",
            "fork",
            "hammer",
            "knife",
            "ladder",
            "needle",
            "paddle",
            "plow",
            "shovel",
            "spade",
        ),
        "food": (
            "apple",
            "bread",
            "cake",
            "cherry",
            "grape",
            "lemon",
            "melon",
            "pear",
            "pepper",
            "plum",
            "pumpkin",
            "salt",
        ),
        "instrument": ("bell", "drum", "flute", "guitar", "horn", "piano", "radio", "trumpet", "violin", "whistle"),
        "ride": ("boat", "canoe", "cart", "ship", "sled", "train", "wagon", "saddle"),
        "gift": (
            "candle",
            "clock",
            "coin",
            "crown",
            "diamond",
            "kite",
            "lantern",
            "map",
            "mirror",
            "necklace",
            "picture",
            "ring",
        ),
        "garment": (
            "belt",
            "boot",
            "coat",
            "glove",
            "hat",
            "helmet",
            "jacket",
            "mask",
            "robe",
            "scarf",
            "shirt",
            "skirt",
        ),
    },
    facts=(4, 5),
)
