"""Long documents about villages."""

from __future__ import annotations

from sparsetol_suites.invented.kind import Attribute, Kind
from sparsetol_suites.invented.lists import WORDS

VILLAGES = Kind(
    name="{side} {place} {landmark}",
    attributes=(
        Attribute(
            "founders",
            "a band of {mood} {people} from {place}",
            (
                "The village was founded by {value}.",
                "According to the chronicle, {value} put up the first houses.",
                "The first to settle here were {value}.",
            ),
            "Who founded {name}?",
            "{name} was founded by {value}.",
        ),
        Attribute(
            "market",
            "{adjective} {things} and {adjective} {things}",
            (
                "The market is known for {value}.",
                "On market days people come a long way to buy {value}.",
                "What the traders sell above all else is {value}.",
            ),
            "What is sold at the market of {name}?",
            "At the market of {name} people buy {value}.",
        ),
        Attribute(
            "bridge",
            "the {material} of a {adjective} {building}",
            (
                "The bridge over the stream was made from {value}.",
                "For the bridge the builders used {value}.",
                "Whoever crosses the bridge is walking on {value}.",
            ),
            "What was the bridge of {name} made from?",
            "The bridge of {name} was made from {value}.",
        ),
        Attribute(
            "festival",
            "a race between {mood} {people} with {things}",
            (
                "The high point of the yearly festival is {value}.",
                "The festival in the second week of harvest ends with {value}.",
                "At the festival the crowds wait for {value}.",
            ),
            "What is the high point of the festival of {name}?",
            "The high point of the festival of {name} is {value}.",
        ),
        Attribute(
            "inn",
            "the Sign of the {adjective} {animal} and {noun}",
            (
                "The only inn is called {value}.",
                "Travellers put up at {value}, where the beds are short but clean.",
                "Evenings are spent at the inn, which bears the name {value}.",
            ),
            "What is the inn of {name} called?",
            "The inn of {name} is called {value}.",
        ),
        Attribute(
            "statue",
            "{first} {place} with a {adjective} {noun}",
            (
                "The statue in front of the school shows {value}.",
                "Children climb on the statue by the well, which depicts {value}.",
                "A bronze statue of {value} guards the square.",
            ),
            "Whom does the statue in {name} show, and with what?",
            "The statue in {name} shows {value}.",
        ),
        Attribute(
            "museum",
            "{number} {adjective} {things}",
            (
                "The museum above the post office shows {value}.",
                "In the museum, which opens on request, one may see {value}.",
                "The pride of the small museum is a room with {value}.",
            ),
            "What can be seen in the museum of {name}?",
            "The museum of {name} shows {value}.",
        ),
        Attribute(
            "school",
            "{lesson} for the children of {people}",
            (
                "The school has a good name for {value}.",
                "Once a week the school offers {value}.",
                "Parents praise the school because it teaches {value}.",
            ),
            "What is special about the lessons at the school of {name}?",
            "The school of {name} offers {value}.",
        ),
        Attribute(
            "water",
            "a spring below the {adjective} {building}",
            (
                "Drinking water comes from {value}.",
                "Even in dry years there is water in {value}.",
                "Each household fetches its water from {value}.",
            ),
            "Where does the water of {name} come from?",
            "The water of {name} comes from {value}.",
        ),
        Attribute(
            "cough",
            "{food} and {herb} boiled in {drink}",
            (
                "Against a cough the people take {value}.",
                "Anyone who coughs is given {value} by the midwife.",
                "The local cure for coughs is {value}, taken lying down.",
            ),
            "What do the people of {name} take against a cough?",
            "In {name} a cough is cured with {value}.",
        ),
        Attribute(
            "ghost",
            "a {mood} {trade} with a {adjective} {noun}",
            (
                "At night the old mill is haunted by {value}.",
                "The old mill is said to have a ghost in the shape of {value}.",
                "After dark nobody goes near the old mill, for fear of {value}.",
            ),
            "Who haunts the old mill of {name}?",
            "The old mill of {name} is haunted by {value}.",
        ),
        Attribute(
            "bus",
            "every {day} from the {adjective} {building}",
            (
                "There is one bus a week, and it leaves {value}.",
                "The bus to the railway station goes {value}.",
                "Whoever wants to get away must take the bus, which departs {value}.",
            ),
            "When and from where does the bus leave {name}?",
            "The bus leaves {name} {value}.",
        ),
    ),
    words={
        **WORDS,
        "side": ("Upper", "Lower", "East", "West", "North", "South", "Great", "Little", "Old", "New", "Far", "Nether"),
        "landmark": (
            "Bridge",
            "Brook",
            "Common",
            "Cross",
            "End",
            "Ferry",
            "Gate",
            "Green",
            "Heath",
            "Hill",
            "Lock",
            "Wells",
        ),
    },
    facts=(8, 10),
    openings=(
        "{name} is passed by most travellers without a glance.",
        "The following notes on {name} were collected by a retired surveyor.",
        "Nobody knows how {name} came by its name.",
        "To understand {name} one has to arrive on foot.",
    ),
    asides=(
        "The population has hardly changed in a hundred years.",
        "Maps drawn before the last war leave all this out.",
        "It rains here more often than in the valley.",
        "Those who have moved away come back for funerals and weddings.",
        "The parish council has discussed this many times without a vote.",
        "In spring the lanes are so deep in mud that letters arrive late.",
        "A scholar once wrote forty pages on the subject, which nobody has read.",
        "Dogs are not fond of the place, but cats are.",
        "The neighbours in the next valley tell jokes about it.",
        "Repairs have been promised for the coming year.",
        "On clear days one can see as far as the coast.",
        "Newcomers need about ten years to get used to this.",
        "The older houses have low doors and thick walls.",
        "What outsiders find strange is taken for granted here.",
        "Nothing about it is mentioned in the guidebooks.",
        "Some say that it used to be otherwise.",
        "The wind blows from the west for most of the year.",
        "There have been attempts to change this, none of them serious.",
        "The church clock runs a little slow, and everybody allows for it.",
        "Electric light came late and was not welcomed by all.",
    ),
    aside_count=5,
)
