"""Long documents about people with a trade."""

from __future__ import annotations

from sparsetol_suites.invented.kind import Attribute, Kind
from sparsetol_suites.invented.lists import WORDS

PEOPLE = Kind(
    name="{first} {place}",
    attributes=(
        Attribute(
            "birth",
            "a {adjective} {building} near {place}",
            (
                "{last} was born in {value} while the harvest was being brought in.",
                "The house where {last} first saw the light of day was {value}.",
                "The family had just moved into {value} when {last} was born there.",
            ),
            "In what kind of building, and near which place, was {name} born?",
            "{name} was born in {value}.",
        ),
        Attribute(
            "teacher",
            "the {adjective} {trade} {first} {place}",
            (
                "It was {value} who taught {last} the trade.",
                "The trade was learned from {value}, who gave board and lodging but no wages.",
                "An apprenticeship under {value} lasted longer than anyone had planned.",
            ),
            "Who taught {name} the trade?",
            "{name} was taught the trade by {value}.",
        ),
        Attribute(
            "sale",
            "a {adjective} {noun} with a {adjective} {noun}",
            (
                "The first piece that {last} ever sold was {value}.",
                "A neighbour paid a fair price for {value}, which was the first sale of all.",
                "On the opening page of the account book stands {value}, sold in the first week.",
            ),
            "What was the first thing that {name} sold?",
            "The first thing that {name} sold was {value}.",
        ),
        Attribute(
            "workshop",
            "behind the {adjective} {shop} in {place} Street",
            (
                "The workshop of {last} lies {value}.",
                "Customers find the workshop {value}, where a rope serves as a doorbell.",
                "After the great flood the workshop was moved to dry rooms {value}.",
            ),
            "Where is the workshop of {name}?",
            "The workshop of {name} is {value}.",
        ),
        Attribute(
            "sideline",
            "{lesson} lessons for {mood} {people}",
            (
                "In lean years {last} lived on {value}.",
                "When orders stayed away, a second income came from {value}.",
                "What kept the household going in bad winters was {value}.",
            ),
            "What did {name} live on when there were no orders?",
            "In bad years {name} lived on {value}.",
        ),
        Attribute(
            "fear",
            "{act} {object} {moment}",
            (
                "Nothing frightened {last} so much as {value}.",
                "Friends remember that {last} had a horror of {value}.",
                "One fear was never overcome, namely that of {value}.",
            ),
            "What was {name} afraid of?",
            "{name} was afraid of {value}.",
        ),
        Attribute(
            "prize",
            "the {adjective} {noun} of {place}",
            (
                "The guild honoured {last} with {value}.",
                "Over the mantelpiece hangs {value}, a prize from the autumn fair.",
                "To everyone's surprise the jury awarded {last} its highest prize, {value}.",
            ),
            "Which prize did {name} win?",
            "{name} won {value}.",
        ),
        Attribute(
            "company",
            "a {adjective} {animal} called {first}",
            (
                "Wherever {last} went, there went {value}.",
                "The constant companion of those years was {value}.",
                "Visitors are greeted on the stairs by {value}, before {last} appears.",
            ),
            "Which animal kept {name} company, and what was it called?",
            "{name} was kept company by {value}.",
        ),
        Attribute(
            "meal",
            "{base} {dish} with {food} and {herb}",
            (
                "For supper {last} ate nothing but {value}.",
                "The dish that {last} cooked for guests was always {value}.",
                "Asked for a favourite meal, {last} would name {value} without a pause.",
            ),
            "What did {name} like to eat?",
            "{name} liked to eat {value}.",
        ),
        Attribute(
            "collection",
            "{adjective} {things} from {place}",
            (
                "Since childhood {last} has collected {value}.",
                "Three shelves in the bedroom are given over to a collection of {value}.",
                "There is hardly room to sit down, because {last} collects {value}.",
            ),
            "What does {name} collect?",
            "{name} collects {value}.",
        ),
        Attribute(
            "summer",
            "on a {adjective} {landform} near {place}",
            (
                "Each summer {last} spends some weeks in a hut {value}.",
                "For rest there is a hut {value}, far from any telephone.",
                "The hottest weeks of the year are spent {value}.",
            ),
            "Where does {name} spend the summer?",
            "{name} spends the summer {value}.",
        ),
        Attribute(
            "heir",
            "the {adjective} {institution} of {place}",
            (
                "By will the tools of {last} go to {value}.",
                "One day {value} will receive the tools.",
                "The tools have been promised to {value} in writing.",
            ),
            "Who will receive the tools of {name}?",
            "{value} will receive the tools of {name}.",
        ),
    ),
    words=WORDS,
    facts=(8, 10),
    openings=(
        "{name} is better known to neighbours than to the newspapers.",
        "This is an account of {name} as friends and rivals have given it.",
        "Few people in the district have been talked about as much as {name}.",
        "What follows was written down from conversations with {name}.",
    ),
    asides=(
        "Opinions about this differ, as they do about most things in the district.",
        "None of it was planned, but little of it was regretted.",
        "The letters from that time are short and full of crossed-out lines.",
        "People who ask for more details are usually offered a chair and a cup of something hot.",
        "A cousin tells the story differently, though not in a way that matters.",
        "It would be wrong to call this luck, since it took a good deal of patience.",
        "The winters were long, and the roads were worse than they are now.",
        "A photograph of the period shows a serious face and a borrowed hat.",
        "Money was seldom mentioned at the table.",
        "Whether all of this is true can no longer be found out.",
        "Younger colleagues smile about it and then do the same.",
        "There was a time when things might have gone another way.",
        "Nobody in the family had ever done anything of the kind.",
        "For a while even the vicar took an interest.",
        "The rest of the day belonged to work, and work was never rushed.",
        "It is said that a promise given in the morning was kept by evening.",
        "Strangers took this for pride, and were mistaken.",
        "The newspaper reported it on the last page, below the price of oats.",
        "Some habits of those days have stayed.",
        "It did not seem important then, and perhaps it was not.",
    ),
    aside_count=5,
)
