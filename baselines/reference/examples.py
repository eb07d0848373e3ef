"""Training examples: what the suite's own generators make, with the replies that their scorers give full marks.

A reply is followed by further questions about the same context, asked in the task's own words: many answers for one
reading are the densest supervision there is. Short contexts, which the suite does not have, come from the same
generators with fewer of everything.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from sparsetol_suites.errors import LengthError
from sparsetol_suites.invented import short
from sparsetol_suites.item import Draft, Item
from sparsetol_suites.records.document import Document
from sparsetol_suites.records.question import LETTERS, Question
from sparsetol_suites.task import Draw, Task
from sparsetol_suites.tasks.qa import QuestionAnswering
from sparsetol_suites.tasks.qa_choice import QuestionChoice
from sparsetol_suites.tasks.ruler_cwe import RulerCwe
from sparsetol_suites.tasks.ruler_niah import RulerNiah
from sparsetol_suites.tasks.ruler_vt import RulerVt
from sparsetol_suites.tasks.story_filtering import StoryFiltering
from sparsetol_suites.tasks.story_multihop import StoryMultihop
from sparsetol_suites.tasks.story_retrieval import StoryRetrieval
from sparsetol_suites.words import ADJECTIVES, NOUNS

from baselines.reference.tokenizer import Counter

TASKS = (
    "niah", "story_retrieval", "qa", "qa_one", "qa_several", "vt", "story_multihop", "cwe", "story_filtering", "pairs",
)  # fmt: skip
"""What is trained on; `niah` is both key retrievals of the suite, `pairs` is an exercise that is no task."""

SHORTEST = {
    "pairs": 64,
    "niah": 128,
    "story_retrieval": 128,
    "qa": 192,
    "qa_one": 384,
    "qa_several": 384,
    "vt": 128,
    "story_multihop": 128,
    "cwe": 128,
    "story_filtering": 192,
}
"""Tokens of the shortest sequences that a task is trained on."""

LONGEST = {"pairs": 256}
"""Tokens of the longest sequences of those that end before the others: mastered there, they are trained no more."""

_SHORT = 600
"""Tokens under which a sequence is short."""

_ATTEMPTS = 24
"""Shapes drawn before a length is given up."""


@dataclass(frozen=True)
class Turn:
    """A question and its reply.

    Attributes:
        message: what the user says.
        reply: what the assistant should say.
        free: words of the reply that may stand in any order.

    """

    message: str
    reply: str
    free: frozenset[str] = field(default=frozenset())


_TAUGHT = (
    QuestionAnswering, QuestionChoice, RulerNiah, RulerVt, RulerCwe, StoryFiltering, StoryMultihop, StoryRetrieval,
)  # fmt: skip


class _Room:
    """Tokens that are left for further turns."""

    def __init__(self, length: int, first: Turn) -> None:
        self._counter = Counter()
        self._left = length - 1
        self.take(first)

    def take(self, turn: Turn) -> bool:
        """Whether the turn fits; if so its tokens are gone."""
        needed = self._counter.text(turn.message) + self._counter.text(turn.reply) + 3
        if needed > self._left:
            return False
        self._left -= needed
        return True


def example(task: str, length: int, rng: Random) -> list[Turn]:
    """Turns that take at most `length` tokens, for one of `TASKS`; raises `LengthError` where none can."""
    for attempt in range(_ATTEMPTS):
        # In half of the examples, and most of the short ones, much of the length is for further turns: a short context
        # that is asked about once teaches little.
        often, most = (0.8, 0.5) if length < _SHORT else (0.5, 0.4)
        spare = round(length * rng.uniform(0.1, most)) if rng.random() < often and attempt < _ATTEMPTS // 2 else 0
        made = _MAKERS[task](length - 2, spare, rng)
        try:
            turns = [next(made)]
        except LengthError:
            continue
        room = _Room(length, turns[0])
        misses = 0
        for turn in made:
            if room.take(turn):
                turns.append(turn)
            else:
                misses += 1
            if misses == 2:
                break
        return turns
    raise LengthError(f"{task}: no example of {length} tokens")


def item_of(draft: Draft) -> Item:
    """The draft as an item of no suite."""
    return Item("", draft.message, draft.answers, draft.facts, "")


def best_reply(task: Task, item: Item) -> Turn:
    """The first turn of an item: what the model is taught to reply to it.

    It is the task's perfect reply but in statements to be judged, where each quoted sentence is followed by its
    verdict, and in what may be listed in any order.
    """
    if isinstance(task, QuestionChoice) and task.right == "several":
        return Turn(item.prompt, _judged(item.answers, _evidence(item)))
    if not isinstance(task, _TAUGHT):
        raise TypeError(f"{type(task).__name__} is not among the tasks that the model is taught")
    free = frozenset(item.answers) if isinstance(task, RulerCwe | StoryFiltering) else frozenset()
    return Turn(item.prompt, task.perfect_reply(item), free)


def _draw(rng: Random) -> Draw:
    return Draw(rng, rng.getrandbits(32), rng.randrange(1 << 16))


def _instructions(message: str) -> tuple[str, str]:
    """Context and question."""
    context, _, question = message.rpartition("\n\n")
    return context, question


def _niah(length: int, spare: int, rng: Random) -> Iterator[Turn]:
    room = max(1, min(24, (length - 50) // 24))
    queries = rng.choice([1, min(4, room), rng.randint(1, room), room])
    task = RulerNiah(queries=queries, style="words")
    item = item_of(task.draft(length - 8 * queries - spare, Counter(), _draw(rng)))
    yield best_reply(task, item)
    context, _ = _instructions(item.prompt)
    pairs = re.findall(r"^(\w+ \w+): (\w+)$", context, flags=re.MULTILINE)
    while True:
        count = rng.choice([1, min(4, room)])
        asked = [f"{key}: {value}" for key, value in rng.sample(pairs, min(count, len(pairs)))]
        question = task._question([line.split(":")[0] for line in asked])
        more = dataclasses.replace(task, queries=len(asked))
        yield Turn(question, more.perfect_reply(Item("", "", tuple(asked), (), "")))


def _pairs(length: int, _spare: int, rng: Random) -> Iterator[Turn]:
    """Keys of one word, all of them asked for: the shortest way to attention that finds what followed a word before."""
    count = (length - 4) // 10
    words = rng.sample(NOUNS, 2 * count)
    lines = [f"{key}: {value}" for key, value in zip(words[::2], words[1::2], strict=True)]
    context = "\n".join(lines)
    rng.shuffle(lines)
    keys = ", ".join(line.partition(":")[0] for line in lines)
    yield Turn(f"{context}\n\n{keys}", "\n".join(lines))


_LEAD = re.compile(r"(came to|bought|met) .*")


def _blank(match: re.Match[str]) -> str:
    return f"{match[1]} ___"


def _stories(length: int, spare: int, rng: Random) -> Iterator[Turn]:
    room = max(1, min(16, (length - 50) // 50))
    queries = rng.choice([min(4, room), rng.randint(1, room), room])
    task = StoryRetrieval(queries=queries, style="short")
    item = item_of(task.draft(length - 13 * queries - spare, Counter(), _draw(rng)))
    yield best_reply(task, item)
    context, question = _instructions(item.prompt)
    head, tail = question.split("\n")[0], question.split("\n")[-1]
    facts = [
        f"Chapter {number}: {said}"
        for number, text in re.findall(r"Chapter (\d+)\n(.*)", context)
        for said in re.findall(r"I (?:came to|met|bought) [^.]*", text)
    ]
    while True:
        asked = rng.sample(facts, min(4, room, len(facts)))
        blanks = [f"{number}. {_LEAD.sub(_blank, said)}" for number, said in enumerate(asked, 1)]
        replies = [f"{number}. {said}" for number, said in enumerate(asked, 1)]
        yield Turn("\n".join([head, *blanks, tail]), "\n".join(replies))


def _multihop(length: int, spare: int, rng: Random) -> Iterator[Turn]:
    task = StoryMultihop(style="short")
    item = item_of(task.draft(length - 12 - spare, Counter(), _draw(rng)))
    yield best_reply(task, item)
    context, question = _instructions(item.prompt)
    bought = re.findall(r"I bought an? ([^.]*)", context)
    given = item.answers[1]
    for spot in rng.sample(range(1, len(bought)), len(bought) - 1):
        asked = question.replace(given, bought[spot])
        yield Turn(asked, task.perfect_reply(Item("", "", (bought[spot - 1], bought[spot]), (), "")))


def _filtering(length: int, spare: int, rng: Random) -> Iterator[Turn]:
    most = 1 if length < 256 else 2 if length < 384 else 4
    missing = min(most, rng.choice([1, 2, 3, 3, 3, 4]))
    task = StoryFiltering(missing=missing, style="short")
    # Nothing else can be asked, so that no room is kept; lengths differ as those of other tasks do.
    yield best_reply(task, _shuffled(item_of(task.draft(length - 12 - spare, Counter(), _draw(rng))), rng))


def _vt(length: int, spare: int, rng: Random) -> Iterator[Turn]:
    most = max(4, (length - spare - 72) // 6)
    shapes = [(chains, hops) for chains in range(2, 7) for hops in range(1, 5) if chains * (hops + 1) <= most]
    full = (4, 3)
    chains, hops = full if full in shapes and rng.random() < 0.6 else rng.choice(shapes)
    task = RulerVt(chains=chains, hops=hops, style="words")
    # Values repeated before their names: found so, they are sooner found from the end of a question.
    exercise = rng.random() < (0.5 if length < _SHORT else 0.1)
    room = chains * (2 * hops + 5) if exercise else 2 * hops + 3
    item = item_of(task.draft(length - room - spare, Counter(), _draw(rng)))
    context, question = _instructions(item.prompt)
    source_of = re.findall(r"Let (\w+) = (\w+)\.", context)
    next_of = {source: name for name, source in source_of}
    if exercise:
        starts = [source for _, source in source_of if source.isdigit()]
        rng.shuffle(starts)
        found = [f"{start}: {', '.join(_chain(start, next_of))}" for start in starts]
        yield Turn(f"{context}\n\n{', '.join(starts)}", "\n".join(found))
    else:
        yield best_reply(task, item)
    value = re.search(r"\d+", question.split("value")[1])
    values = [source for _, source in source_of if source.isdigit() and value and source != value[0]]
    rng.shuffle(values)
    for other in values:
        yield Turn(question.replace(value[0] if value else "", other), ", ".join(_chain(other, next_of)))


def _chain(start: str, next_of: dict[str, str]) -> list[str]:
    """All that hold the value `start`, in order."""
    chain = [next_of[start]]
    while chain[-1] in next_of:
        chain.append(next_of[chain[-1]])
    return chain


def _cwe(length: int, spare: int, rng: Random) -> Iterator[Turn]:
    prompt = length - 12 - spare
    shapes = [
        (common, often, rare)
        for common in (1, 2, 3, 4, 4, 4, 5)
        for often, rare in ((4, 1), (6, 1), (8, 1), (12, 2))
        if 46 + 2 * (common * often + rare * (1 + common * often * 3 // rare)) < prompt
    ]
    if not shapes:
        raise LengthError(f"no list in {prompt} tokens")
    common, often, rare = (4, 12, 2) if (4, 12, 2) in shapes and rng.random() < 0.6 else rng.choice(shapes)
    task = RulerCwe(common=common, often=often, rare=rare, style="words")
    yield best_reply(task, _shuffled(item_of(task.draft(prompt, Counter(), _draw(rng))), rng))


def _shuffled(item: Item, rng: Random) -> Item:
    """Its answers in any order: who begins with any of them must know how to go on from there."""
    return dataclasses.replace(item, answers=tuple(rng.sample(item.answers, len(item.answers))))


_HEADING = re.compile(r"Document (\d+) \(([^)]*)\)\n(.*)")
_FACT = re.compile(r"The (\w+) of (\w+ \w+) is ([^.]*)\.")
_KEYS = {attribute.key: attribute for attribute in short.PEOPLE.attributes}


@dataclass(frozen=True)
class _Shelved:
    """A document of the context: its number, subject and values."""

    number: int
    name: str
    values: dict[str, str]


def _documents(first: str, length: int, spare: int, rng: Random) -> Iterator[Turn]:
    """A question about documents, then others of all kinds about the same documents."""
    tasks: dict[str, QuestionAnswering | QuestionChoice] = {
        "qa": QuestionAnswering(),
        "qa_one": QuestionChoice(),
        "qa_several": QuestionChoice(right="several"),
    }
    reply = {"qa": 16, "qa_one": 20, "qa_several": 80}[first]
    item = item_of(tasks[first].draft(length - reply - spare, Counter(), _draw(rng)))
    yield best_reply(tasks[first], item)
    context, _ = _instructions(item.prompt)
    shelf = [
        _Shelved(int(number), name, {key: value for key, _, value in _FACT.findall(text)})
        for number, name, text in _HEADING.findall(context)
    ]
    # The one that was cut may have lost its last value.
    shelf = [document for document in shelf if document.values]
    kinds = [first, first, *tasks]
    for _ in range(64):
        kind = rng.choice(kinds)
        document = rng.choice(shelf)
        turn = _question(kind, tasks, document, shelf, rng)
        if turn is not None:
            yield turn


def _question(
    kind: str,
    tasks: dict[str, QuestionAnswering | QuestionChoice],
    document: _Shelved,
    shelf: list[_Shelved],
    rng: Random,
) -> Turn | None:
    """A question of that kind; None where the documents hold too little for it."""
    task = tasks[kind]
    source = Document(document.name, "")
    if kind == "qa":
        key = rng.choice(list(document.values))
        question = Question("", source, _said(_KEYS[key].question, document), (), stem=_said(_KEYS[key].stem, document))
        return Turn(task.ask(question, document.number), f"{question.stem} {document.values[key]}.")
    if kind == "qa_one":
        key = rng.choice(list(document.values))
        others = _others(document, shelf, key)
        if len(others) < len(LETTERS) - 1:
            return None
        wrong = [
            _look_alike(document.values[key], rng) or other if rng.random() < _ALIKE else other
            for other in rng.sample(others, len(LETTERS) - 1)
        ]
        values = [document.values[key], *wrong]
        if len(set(values)) < len(LETTERS):
            return None
        rng.shuffle(values)
        question = Question("", source, _said(_KEYS[key].question, document), (), tuple(values))
        letter = LETTERS[values.index(document.values[key])]
        quoted = f"{_said(_KEYS[key].stem, document)} {document.values[key]}."
        return Turn(task.ask(question, document.number), f"{quoted}\nAnswer: {letter}")
    if len(document.values) < len(LETTERS):
        return None
    keys = rng.sample(list(document.values), len(LETTERS))
    chosen = rng.randrange(1, 2 ** len(LETTERS) - 1)
    answers, options, quotes = [], [], []
    for place, key in enumerate(keys):
        stem = _said(_KEYS[key].stem, document)
        value = document.values[key]
        quotes.append(f"{stem} {value}.")
        others = _others(document, shelf, key)
        if chosen >> place & 1:
            answers.append(LETTERS[place])
        elif rng.random() < _ALIKE and (alike := _look_alike(value, rng)):
            value = alike
        elif others:
            value = rng.choice(others)
        else:
            return None
        options.append(f"{stem} {value}.")
    question = Question("", source, f"Which of these statements about {document.name} are true?", (), tuple(options))
    return Turn(task.ask(question, document.number), _judged(tuple(answers), quotes))


def _others(document: _Shelved, shelf: list[_Shelved], key: str) -> list[str]:
    own = document.values[key]
    return sorted({other.values[key] for other in shelf if other is not document and key in other.values} - {own})


_ALIKE = 0.4
"""Share of wrong options that differ from the right one in one word."""

_ADJECTIVE = re.compile(r"\b(?:an?|the) (\w+)")


def _look_alike(value: str, rng: Random) -> str | None:
    """The value with another adjective after its first article; None where it has none."""
    match = _ADJECTIVE.search(value)
    if match is None:
        return None
    adjective = rng.choice(ADJECTIVES)
    article = "the" if match[0].startswith("the") else "an" if adjective[0] in "aeiou" else "a"
    made = f"{value[: match.start()]}{article} {adjective}{value[match.end() :]}"
    return made if made != value else None


def _said(pattern: str, document: _Shelved) -> str:
    return pattern.format(name=document.name)


def _evidence(item: Item) -> list[str]:
    """The sentence of each fact, in the facts' order."""
    found = []
    for fact in item.facts:
        before = item.prompt[: fact.start]
        start = max(before.rfind(". ") + 2, before.rfind("\n") + 1)
        found.append(item.prompt[start : item.prompt.index(".", fact.end) + 1])
    return found


def _judged(answers: tuple[str, ...], quotes: list[str]) -> str:
    """Quoted sentences with verdicts, and the letters of the true statements."""
    lines = [f"{letter}. {quote} {letter in answers}." for letter, quote in zip(LETTERS, quotes, strict=False)]
    return "\n".join([*lines, f"Answer: {', '.join(answers)}"])


_Maker = Callable[[int, int, Random], Iterator[Turn]]
"""Makes a first turn and then others, for a length of which so many tokens are for the others."""


def _of_documents(kind: str) -> _Maker:
    return lambda length, spare, rng: _documents(kind, length, spare, rng)


_MAKERS: dict[str, _Maker] = {
    "niah": _niah,
    "pairs": _pairs,
    "story_retrieval": _stories,
    "qa": _of_documents("qa"),
    "qa_one": _of_documents("qa_one"),
    "qa_several": _of_documents("qa_several"),
    "vt": _vt,
    "story_multihop": _multihop,
    "cwe": _cwe,
    "story_filtering": _filtering,
}

__all__ = ["LONGEST", "SHORTEST", "TASKS", "LengthError", "Turn", "best_reply", "example", "item_of"]
