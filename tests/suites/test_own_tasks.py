"""A team's own requests: what its records may say, and what becomes of them."""

from __future__ import annotations

import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from sparsetol_suites import registry, scorers
from sparsetol_suites.errors import LengthError, SuiteError
from sparsetol_suites.item import MISSING, Item, Score
from sparsetol_suites.located_yaml import LocatedError
from sparsetol_suites.suite import Suite, SuiteTask, load_suite

from tests.suites.drawn import COUNTER, check_length, fact_texts
from tests.suites.sample_records import context, write
from tests.suites.solvers.documents import documents

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-traffic"
LABELS = {"group": "lookup", "scope": "low", "dispersion": "low"}


def prompt(number: int, **changes: Any) -> dict[str, Any]:
    record = {
        "id": f"p{number}",
        "prompt": f"Log of day {number}. {{filler}} Who called? Box {number}.",
        "answers": [f"Box {number}"],
        **LABELS,
        **changes,
    }
    return {name: value for name, value in record.items() if value is not ...}


def asked(number: int, **changes: Any) -> dict[str, Any]:
    record = {
        "id": f"q{number}",
        "context": context(number),
        "question": f"What is secret {number}?",
        "answers": [f"lamp {number}"],
        **LABELS,
        **changes,
    }
    return {name: value for name, value in record.items() if value is not ...}


def suite(folder: Path, records: list[Any], entry: str = "") -> Suite:
    write(folder / "traffic.jsonl", records)
    (folder / "log.txt").write_text("\n\n".join(f"Line {n}. " + "nothing new today " * 40 for n in range(90)), "utf-8")
    text = f"""\
        suite: 1
        name: mine
        version: 1
        shortest: 256
        longest: 8k
        tasks:
          desk: {{task: own, data: traffic.jsonl{entry}}}
        """
    (folder / "suite.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
    return load_suite("suite.yaml", folder)


def only(found: Suite) -> SuiteTask:
    (task,) = found.tasks
    return task


def test_prompts_are_filled_where_they_say(tmp_path: Path) -> None:
    task = only(suite(tmp_path, [prompt(n) for n in range(5)], ", filler: log.txt"))
    assert task.available() == 5
    for index in range(5):
        for length in (512, 1024, 4096):
            item = task.generate(length, COUNTER, 0, index)
            check_length(item, length)
            number = item.answers[0].split()[1]
            assert item.prompt.startswith(f"Log of day {number}. ")
            assert "{filler}" not in item.prompt
            assert fact_texts(item) == [f"Box {number}"]
            assert item.facts[0].end == len(item.prompt) - 1
            assert item.cluster == item.id
            assert task.score(item, f"box {number}").value == 1
            assert task.score(item, "") == MISSING


def test_filler_in_several_places(tmp_path: Path) -> None:
    between = prompt(1, prompt="Start. {filler} Box 1 is here. {filler}{filler} Who called?")
    task = only(suite(tmp_path, [between], ", filler: log.txt"))
    for length in (256, 1024, 4096):
        item = task.generate(length, COUNTER, 0, 0)
        check_length(item, length)
        assert fact_texts(item) == ["Box 1"]
        assert item.facts[0].start / len(item.prompt) == pytest.approx(1 / 3, abs=0.07)


def test_prompts_without_a_place_for_filler_are_used_as_they_are(tmp_path: Path) -> None:
    served = f"{context(1, 400)} Which lamp?"
    records = [prompt(1, prompt=served, answers=["lamp 1"])]
    task = only(suite(tmp_path, records))
    item = task.generate(512, COUNTER, 0, 0)
    assert item.prompt == served
    assert fact_texts(item) == ["lamp 1"]
    with pytest.raises(
        LengthError, match=r"task 'desk' at 1k: record 'p1': the prompt has \d+ tokens, not 50% to 100 %"
    ):
        task.generate(1024, COUNTER, 0, 0)
    with pytest.raises(LengthError, match="keep prompts of other lengths in another file"):
        task.generate(256, COUNTER, 0, 0)
    assert only(suite(tmp_path, records, ", least: 0.1")).generate(2048, COUNTER, 0, 0).prompt == served
    absent = only(suite(tmp_path, [prompt(1, prompt=served, answers=["nowhere"])])).generate(512, COUNTER, 0, 0)
    assert fact_texts(absent) == [served]


def test_questions_go_among_the_other_documents(tmp_path: Path) -> None:
    records = [asked(n) for n in range(12)] + [prompt(20)]
    task = only(suite(tmp_path, records, ", filler: log.txt, instructions: Be brief."))
    clusters = set()
    for index in range(13):
        item = task.generate(2048, COUNTER, 0, index)
        check_length(item, 2048)
        clusters.add(item.cluster)
        if "Question about document" in item.prompt:
            assert item.prompt.endswith("?\nBe brief.")
            assert fact_texts(item) == list(item.answers)
            texts = [text for _, text in documents(item.prompt).values()]
            assert {context(n) for n in range(12)} <= set(texts)
            assert any(text.startswith("Line ") for text in texts)
    assert len(clusters) == 13


def test_each_group_of_the_records_is_a_task(tmp_path: Path) -> None:
    records = [asked(n, group="a") for n in range(3)] + [asked(9, group="b", scope="high"), asked(8, group="a")]
    found = suite(tmp_path, records)
    assert found.groups == ("a", "b")
    labels = [(task.name, task.group, task.scope, task.dispersion, task.available()) for task in found.tasks]
    assert labels == [("desk.a", "a", "low", "low", 4), ("desk.b", "b", "high", "low", 1)]
    assert len({task.fingerprint for task in found.tasks}) == 2
    assert only(suite(tmp_path, records, ", only: b")).group == "b"
    with pytest.raises(LocatedError, match=r"no record is left with only: c .*\(groups: a, b\)"):
        suite(tmp_path, records, ", only: c")


def test_labels_of_the_entry(tmp_path: Path) -> None:
    bare = [asked(n, group=..., scope=..., dispersion=...) for n in range(3)]
    task = only(suite(tmp_path, bare, ", group: x, scope: high, dispersion: low"))
    assert (task.group, task.scope, task.dispersion) == ("x", "high", "low")
    with pytest.raises(LocatedError, match=r"traffic\.jsonl:1: dispersion: neither the record nor the suite's entry"):
        suite(tmp_path, bare, ", group: x, scope: high")
    with pytest.raises(LocatedError, match=r"suite\.yaml:7:\d+: tasks\.desk: group: the records name their groups"):
        suite(tmp_path, [asked(1)], ", group: x")


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "neither": (asked(7, context=...), "missing field 'prompt', or 'context' with 'question'"),
    "both": (asked(7, prompt="Hello"), "prompt and context: a record has one of them"),
    "no question": (asked(7, question=...), "missing field 'question'"),
    "no answers": (prompt(7, answers=...), "missing field 'answers'"),
    "answers": (prompt(7, answers=[]), "answers: is empty"),
    "scorer": (asked(7, scorer="f3"), "scorer: no scorer 'f3'; known: "),
    "scope": (asked(7, scope="medium"), "scope: 'medium' is neither low nor high"),
    "dispersion": (asked(7, dispersion=1), "dispersion: the number 1 found where a text is needed"),
    "name": (asked(7, group="a b"), "group: 'a b' cannot be a group's name"),
    "mix": (asked(7, group="mix"), "group: 'mix' cannot be a group's name"),
    "some without": (asked(7, group=...), "missing field 'group', which other records have"),
    "other scope": (asked(7, scope="high"), "scope: 'high', where other records of group 'lookup' have 'low'"),
    "duplicate": (asked(7, id="q1"), "id: 'q1' is that of record 1 too"),
    "letters": (asked(7, scorer="choice"), "answers: 'lamp 7' is none of the letters ABCD"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_name_file_and_line(name: str, tmp_path: Path) -> None:
    record, message = BROKEN[name]
    with pytest.raises(LocatedError) as caught:
        suite(tmp_path, [asked(1), asked(2), record, asked(4)], ", filler: log.txt")
    assert str(caught.value).startswith(f"{tmp_path / 'traffic.jsonl'}:3: {message}")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("", r"traffic\.jsonl:1: prompt: holds \{filler\}; the suite must name a plain-text file as filler"),
        (", filler: none.txt", r"suite\.yaml:7:\d+: tasks\.desk: filler: .*none\.txt cannot be read"),
        (", filler: log.txt, budget: 0", "budget: 0 is not at least 1 token"),
        (", filler: log.txt, least: 2", r"least: 2\.0 is not a share between 0 and 1"),
        (", filler: log.txt, guess: 1.0", r"guess: 1\.0 is not a score"),
        (", filler: log.txt, scorer: f3", "scorer: no scorer 'f3'"),
        (", filler: log.txt, document_words: 2", "no record is left with only: None and document_words: 2"),
        (", filer: log.txt", "unknown parameter 'filer' of own; did you mean 'filler'"),
    ],
)
def test_parameters(entry: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(LocatedError, match=message):
        suite(tmp_path, [prompt(1)], entry)


def test_scorers_of_records(tmp_path: Path) -> None:
    records = [
        asked(1, scorer="contains"),
        asked(2, scorer="iou", answers=["red", "blue"]),
        asked(3, scorer="choice", answers=["B"]),
        asked(4),
    ]
    task = only(suite(tmp_path, records, ", filler: log.txt"))
    items = {item.scorer: item for item in (task.generate(512, COUNTER, 0, index) for index in range(4))}
    assert sorted(items) == ["choice", "contains", "f1", "iou"]
    assert task.score(items["contains"], "I believe it is lamp 1.").value == 1
    assert task.score(items["f1"], "I believe it is lamp 4.").value == pytest.approx(0.5)
    assert task.score(items["iou"], "- red\n- green").value == pytest.approx(1 / 3)
    assert task.score(items["choice"], "Answer: B").value == 1
    assert task.chance == pytest.approx(0.25 / 4)
    assert only(suite(tmp_path, records, ", filler: log.txt, guess: 0.1")).chance == 0.1


def test_a_scorer_of_another_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    point = EntryPoint("loud", f"{__name__}:loud", scorers.ENTRY_POINTS)
    monkeypatch.setattr(scorers, "entry_points", lambda *, group: [point] if group == scorers.ENTRY_POINTS else [])
    task = only(suite(tmp_path, [asked(1, scorer="loud")], ", filler: log.txt"))
    item = task.generate(512, COUNTER, 0, 0)
    assert task.score(item, "LAMP 1").value == 1
    assert task.score(item, "lamp 1").value == 0
    broken = EntryPoint("bad", "no.such.module:it", scorers.ENTRY_POINTS)
    monkeypatch.setattr(scorers, "entry_points", lambda *, group: [broken])
    with pytest.raises(SuiteError, match=r"scorer 'bad' cannot be imported from no\.such\.module:it"):
        scorers.scorer_named("bad")


def loud(_answers: object, text: str) -> Score:
    return Score(float(text.isupper()))


def test_a_task_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("theirs", "sparsetol_suites.tasks.qa:QuestionAnswering", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda *, group: [point] if group == registry.ENTRY_POINTS else [])
    assert registry.task_class("theirs").__name__ == "QuestionAnswering"


def test_the_example() -> None:
    found = load_suite("suite.yaml", EXAMPLE)
    assert [(task.name, task.group, task.available()) for task in found.tasks] == [
        ("desk.code", "code", 14),
        ("desk.handbook", "handbook", 13),
        ("desk.thread", "thread", 13),
    ]
    for task in found.tasks:
        for index in range(task.available() or 0):
            item = task.generate(1024, COUNTER, 0, index)
            check_length(item, 1024)
            assert fact_texts(item)[0].lower() == item.answers[0].lower()
            assert task.score(item, item.answers[0]).value == 1
            if task.group == "thread":
                _solve_thread(item)
            if task.group == "code":
                bike = item.prompt.rsplit("What is the unlock code of ")[1].split("?")[0]
                assert f"The unlock code of {bike} is {item.answers[0]}." in item.prompt


def _solve_thread(item: Item) -> None:
    """Two messages are needed: who opened the ticket, and what the mechanic noted on it."""
    opened = {}
    mended = {}
    for line in item.prompt.splitlines():
        number, _, said = line.partition(", ")
        if said.startswith("opened by") and " left Lupo" in said:
            bike, place = said.split(" left ")[1].split(". Something")[0].split(" ", 2)[1:]
            opened[number] = (f"Lupo {bike}", place)
        elif said.startswith("note of the mechanic: "):
            mended[number] = said.removeprefix("note of the mechanic: ").split(" has been")[0].lower()
    question = item.prompt.splitlines()[-2]
    if question.startswith("What did"):
        bike = question.removeprefix("What did the mechanic mend on ").rstrip("?")
        (answer,) = [mended[number] for number, (name, _) in opened.items() if name == bike]
    else:
        part = question.split("the mechanic mended ")[1].rstrip("?")
        (answer,) = [place for number, (_, place) in opened.items() if mended[number] == part]
    assert answer == item.answers[0]
