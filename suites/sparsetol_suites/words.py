"""Common English words that items are made of. Changing a list changes items: raise the suites' versions then."""

from __future__ import annotations

ADJECTIVES = tuple(
    """
    amber bitter black blue bold brass brave bright broken brown calm clean clear cold cool copper coral crisp curly
    dark deep distant dry dusty early empty faint fast fine firm flat fresh gentle giant glass golden grand green
    grey happy hard heavy hidden high hollow honest hot huge humble icy iron ivory jolly keen kind large late lazy
    light little lively lonely long loud lucky mellow mild narrow neat new noble odd old orange pale patient plain
    polite proud purple quick quiet rapid rare red rich ripe rough round royal rusty sharp shiny short shy silent
    silver simple sleepy slim slow small smooth soft solid spare steady steep still strange strong sunny sweet swift
    tall tame thick thin tidy tiny violet warm white wide wild wise wooden yellow young
    """.split()
)

NOUNS = tuple(
    """
    anchor apple arrow badge bag ball banner barrel basket beacon bead bell belt bench blanket boat bone book boot
    bottle bowl box bread bridge broom brush bucket button cabin cable cage cake camera candle canoe card carpet
    cart castle chain chair chalk cherry chest clock cloth cloud coat coin comb compass cord corner cottage cradle
    crown cup curtain desk diamond dish door dress drum eagle engine falcon farm feather fence field flag flame
    flower flute forest fork fountain fox garden gate gift glove goat grape guitar hammer harbor hat hawk helmet
    hill hook horn horse house island jacket jar jewel kettle key kite knife knot ladder lamp lantern leaf lemon
    lens letter lion lock magnet map marble mask meadow medal melon mill mirror moon mountain nail necklace needle
    nest net oar oven owl paddle paint pan paper parcel pear pearl pebble pen pencil pepper piano picture pillow pin
    pipe plate plow plum pocket pond porch pot pumpkin purse puzzle quilt rabbit radio rail raven ribbon ring river
    road robe rock roof rope rose rug saddle sail salt sandal scarf school seal seed shell shield ship shirt shoe
    shovel sign skirt sled soap sock spade spoon spring stamp star statue stone stool stove straw stream string suit
    sword table tent thread ticket tiger tile torch tower toy train tray tree trumpet trunk tunnel turtle umbrella
    vase veil vest village violin wagon wall wallet watch well wheel whistle window wing wolf yarn
    """.split()
)

NAMES = tuple(
    """
    Ada Agnes Albert Alma Amos Anna Arthur Astrid Basil Beatrice Ben Bertha Boris Bruno Carla Cedric Clara Conrad
    Cora Cyrus Daisy Damian Daphne Della Diego Dora Edgar Edith Edmund Elena Elias Ella Elmer Emil Emma Enid Ernest
    Esther Ethan Eva Felix Fiona Flora Frank Freda George Gilbert Gloria Gordon Grace Greta Gustav Hanna Harold
    Harriet Hazel Hector Helen Henry Herman Hilda Horace Hugo Ida Igor Iris Isaac Ivan Ivy Jasper Joan Jonas Julia
    Karl Kate Klaus Laura Leo Leon Lewis Lily Linda Louis Lucy Luther Mabel Magnus Marcus Maria Martha Martin
    Matilda Max Mildred Miles Milo Minna Mona Nadia Nathan Nell Nina Nora Norman Olga Oliver Olive Oscar Otto Paula
    Pearl Percy Peter Petra Philip Phoebe Rachel Ralph Rita Robert Rosa Rufus Ruth Samuel Sarah Selma Silas Simon
    Sofia Stella Susan Sylvia Theo Thomas Tilda Tobias Ursula Vera Victor Viola Walter Wanda Wilma Winston Yvonne
    Zelda
    """.split()
)

PLACES = tuple(
    """
    Alder Amberly Ashford Aspen Barton Beckham Belford Birch Blackpool Bramley Briar Calder Camden Carrow Cedarly
    Clifton Colby Corby Dalton Darby Denham Dover Dunmore Easton Elmford Fairview Fenwick Foxley Garrow Glenmoor
    Grafton Halden Harwick Hatfield Hollow Hopley Ingram Kelby Kendal Kingsley Lakeside Langley Larkhill Linden
    Lowell Malton Marlow Melford Midvale Milton Moorgate Norwood Oakham Orchard Oxley Parkway Penrith Pinewood
    Quarry Radford Ravenna Redcliff Ridgeway Rosedale Rowan Saxby Selby Sheldon Stanton Stoneham Sutton Tarleton
    Thornby Tilbury Upton Vernon Walden Warwick Weston Whitby Willow Windham Winslow Woodley Yardley Yorkton
    """.split()
)


def compounds() -> tuple[str, ...]:
    """Made-up compounds such as `riverlamp`, each once: as many different words as long contexts need."""
    return tuple(a + b for a in NOUNS[::2] for b in NOUNS[1::2])
