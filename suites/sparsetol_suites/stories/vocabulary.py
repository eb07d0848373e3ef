"""Words and phrases of the long style. Changing one changes items: raise the suites' versions then.

No phrase holds a digit, a name of `words.py`, or a word of an item beside another; only purchases say that something
is acquired, and only sales that something is given up.
"""

from __future__ import annotations

from sparsetol_suites.stories.style import listed

ADJECTIVES = listed(
    """
    ancient battered bent carved chipped cracked crooked dainty dented embossed engraved etched faded folding foreign
    gilded glossy hinged knotted lacquered lopsided mended ornate painted patched polished ribbed rounded rustic
    scratched scuffed slender smoky speckled spotted squat stained stout striped sturdy tapered tarnished twisted
    unfinished varnished weathered wobbly worn
    """
)

MATERIALS = listed(
    """
    agate bamboo beech bronze cedar clay copper cotton ebony enamel felt granite ivory jade leather linen maple marble
    nickel oak pewter pine porcelain satin silk slate steel tin velvet walnut wicker woollen
    """
)

THINGS = listed(
    """
    abacus apron astrolabe bangle basin belt birdcage bobbin bonnet bookend bracelet bridle brooch buckle candlestick
    cane casket chalice chessboard cloak colander corkscrew doorknob doorstop easel figurine flask flute footstool
    funnel globe goblet hairpin hourglass inkwell ladle lantern locket mallet mandolin mask medallion nutcracker paddle
    palette paperweight pendant pestle pitcher platter pouch quill quiver rattle sash satchel saucer scabbard scarf
    scroll shawl sieve slipper snuffbox spindle spyglass statuette stirrup sundial tambourine tankard teapot thimble
    tinderbox trivet trowel weathervane whistle
    """
)

MOODS = (
    "mud on both boots",
    "an empty stomach",
    "a stone in one shoe",
    "a cold in the head",
    "sleep still in my eyes",
    "a blister on each heel",
    "no plan at all",
    "a song stuck in my head",
    "more hope than money",
    "rain dripping from my hood",
    "the sun on my back",
    "a borrowed blanket over my shoulders",
)

ARRIVALS = (
    "It was barely light when I walked into {place} with {mood}.",
    "A carter let me down at the edge of {place}, where I stood for a while with {mood}.",
    "After half a day on foot I reached {place} with {mood}.",
    "The night coach left me in {place} with {mood}.",
    "I had slept in a barn, and I came to {place} with {mood}.",
    "Three wrong turns and a ferry later I arrived in {place} with {mood}.",
    "The map called it a hamlet, but {place} was larger than that, and I entered it with {mood}.",
    "By noon the path had brought me down to {place}, tired and with {mood}.",
    "Nobody had told me how far it was to {place}, and I got there late, with {mood}.",
    "I followed the canal as far as {place}, where I sat down on a step with {mood}.",
)

SPOTS = (
    "the main street",
    "the square",
    "the lane behind the chapel",
    "the waterfront",
    "the yard of the inn",
    "the path along the mill race",
    "the little park",
    "the arcade by the town hall",
    "the alley of the tanners",
    "the green before the school",
)

STATES = (
    "was nearly empty",
    "was crowded with carts",
    "had been swept that morning",
    "smelled of fresh bread",
    "lay in deep shade",
    "was loud with children",
    "was hung with washing",
    "had been dug up for new pipes",
    "was slippery with leaves",
    "was decked with flags",
)

NOISES = (
    "somebody was hammering behind a closed shutter",
    "a choir was practising with the windows open",
    "two dogs were arguing over a bone",
    "an old clock struck the wrong hour",
    "pigeons were walking about as if they owned it",
    "a baker was shouting at his oven",
    "the pump squeaked without a pause",
    "a child was counting steps aloud",
    "a wheel was being repaired with much swearing",
    "nobody seemed to be in a hurry",
)

CORNERS = (
    "By the well",
    "Under the arches",
    "In front of the post office",
    "On the steps of the library",
    "At the long table of the inn",
    "Beside the weighing house",
    "In the queue for soup",
    "On a bench near the bridge",
    "At the gate of the cemetery",
    "In the waiting room of the ferry",
)

TRADES = (
    "a weaver",
    "a retired pilot",
    "a keeper of bees",
    "a teacher of drawing",
    "a mender of roofs",
    "a clerk of the court",
    "a grower of pears",
    "a tuner of pianos",
    "a nurse on leave",
    "a surveyor",
    "a cheesemaker",
    "a student of stars",
)

ERRANDS = (
    "who was looking for a lost hen",
    "who was waiting for the afternoon post",
    "who wanted to know where I came from",
    "who was resting after a long climb",
    "who had just missed the coach",
    "who was feeding sparrows",
    "who asked me for a light",
    "who was reading yesterday's paper",
    "who offered me half of a bun",
    "who was sheltering from the wind",
)

ENCOUNTERS = (
    "{corner} I met {person}, {trade}, {errand}.",
    "{corner} I made the acquaintance of {person}, {trade}, {errand}.",
    "{corner} I fell in with {person}, {trade}, {errand}.",
    "{corner} I got talking to {person}, {trade}, {errand}.",
)

TOPICS = (
    "the price of grain",
    "the flood of last spring",
    "a bridge that was never finished",
    "how to keep moths away",
    "the new schoolmaster",
    "a ghost in the brewery",
    "the right way to boil eggs",
    "an uncle who had gone to sea",
    "the state of the roads",
    "a quarrel between two bakers",
    "the election of the mayor",
    "wolves in the hills",
    "a comet that both of us had seen",
    "whether geese can be trusted",
    "the best month for walking",
    "a play that had been laughed off the stage",
    "letters that arrive too late",
    "a cure for hiccups",
)

TALKS = (
    "We spoke of {topic} until the shade had moved away from us.",
    "Our talk turned to {topic}, on which we did not agree.",
    "I learned more about {topic} than I had ever wished to know.",
    "When I mentioned {topic}, I was answered with a shrug and a long silence.",
    "I was asked what I thought about {topic}, and my reply caused some laughter.",
    "There was a long tale about {topic}, of which I believed perhaps one half.",
    "On the subject of {topic} my companion had firm opinions and a loud voice.",
    "We compared what we had heard about {topic}, and none of it fitted together.",
)

SHOPS = (
    "a stall by the fountain",
    "a dim shop in a cellar",
    "the Saturday market",
    "a house clearance",
    "an auction behind the stables",
    "a cart with a torn awning",
    "the counter of a pawnbroker",
    "a workshop with its door open",
    "a charity bazaar",
    "a booth beside the gate",
)

PRICES = (
    "two coins",
    "four coins",
    "six coins",
    "nine coins",
    "eleven coins",
    "a dozen coins",
    "more than I had meant to spend",
    "far less than was asked at first",
    "the last of my small change",
    "a sum that I shall not write down",
)

PURCHASES = (
    "At {shop} I bought {item} for {price}.",
    "I stopped at {shop} and bought {item} for {price}.",
    "From {shop} I came away with {item}, bought for {price}.",
    "Then I saw {item} at {shop} and bought it for {price}.",
    "At {shop} I could not resist {item}, which I bought for {price}.",
    "I went over to {shop} and purchased {item} for {price}.",
    "At {shop} I purchased {item}, and it cost me {price}.",
    "After some haggling at {shop} I acquired {item} for {price}.",
    "I acquired {item} at {shop}, for {price}.",
    "At {shop} they wanted {price} for {item}, and I bought it on the spot.",
)

SALES = (
    "That day I sold the {item} to a passing pedlar, since my bag had grown heavy.",
    "A collector at the inn had been looking for such a thing, so I sold the {item} that I had been carrying about.",
    "To pay for a bed I sold the {item}.",
    "The {item} from my bag was admired by a stranger, and I sold it on the spot.",
    "I sold the {item} that I no longer needed, and was glad of the money.",
    "Before the shops closed I found a dealer and sold the {item}.",
)

FAREWELLS = (
    "We shook hands at the corner and promised to write.",
    "We parted without any fuss, as people do who will not meet again.",
    "My companion waved until the bend of the road.",
    "We said goodbye twice, because we left in the same direction.",
    "I was wished dry weather and honest innkeepers.",
    "A bell called my companion away in the middle of a sentence.",
    "We embraced like old friends and went our ways.",
    "With a nod and half a smile we took leave of each other.",
)

CONCLUSIONS = (
    "I slept well that night, in spite of a snoring neighbour.",
    "In the evening I wrote all this down by the light of one candle.",
    "I went to bed early and dreamed of nothing.",
    "Before the lamps were lit I had found a room above the stables.",
    "So the day ended better than it had begun.",
    "I lay awake for a while and listened to the shutters.",
    "Supper was thin, but the bed was dry.",
    "The last thing I heard was the watchman trying the doors.",
    "I washed my socks, hung them over a chair and called it a day.",
    "Tomorrow, I told myself, I would walk more slowly.",
)

REMARKS = (
    "A cat slept in the window of the barber.",
    "A notice on a door announced a dance that had long been over.",
    "Smoke rose straight from every chimney.",
    "Some boys were sailing a boat made of bark.",
    "The hands of the church clock had been taken down for cleaning.",
    "A ladder leaned against a wall with nobody near it.",
    "Somewhere a piano was played with one finger.",
    "An old woman nodded to me as if I were expected.",
    "The signpost had been turned the wrong way round.",
    "Swallows were gathering on the ridge of a barn.",
    "A man was painting his fence and most of his shoes.",
    "The postman asked me whether I had seen his bicycle.",
    "Apples lay in the grass and nobody picked them up.",
    "On one wall the tidemark of a flood could still be seen.",
    "A goat looked at me over a hedge for a long time.",
    "Two nuns were pushing a wheelbarrow full of cabbages.",
    "The school bell rang, and no pupil came out.",
    "A row of poplars hissed in the wind.",
)
