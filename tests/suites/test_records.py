from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sparsetol_suites.errors import SuiteError
from sparsetol_suites.located_yaml import LocatedError
from sparsetol_suites.records import hub
from sparsetol_suites.records.chains import chains
from sparsetol_suites.records.document import Document
from sparsetol_suites.records.fields import KNOWN, Fields, read_fields
from sparsetol_suites.records.hub import HubData
from sparsetol_suites.records.order import Orders, in_rounds
from sparsetol_suites.records.plain_text import passages
from sparsetol_suites.records.question import Question
from sparsetol_suites.records.questions import questions
from sparsetol_suites.records.rows import read_rows
from sparsetol_suites.records.source import digest_of, rows_of

from tests.suites.sample_records import chain, context, question, write


def load(path: Path, **fields: Any) -> tuple[Question, ...]:
    chosen = read_fields(fields or None)
    return questions(rows_of(path, chosen), chosen)


def load_choices(path: Path, **fields: Any) -> tuple[Question, ...]:
    chosen = read_fields(fields or None)
    return questions(rows_of(path, chosen), chosen, with_choices=True)


BROKEN: dict[str, tuple[Any, str]] = {
    "not JSON": ('{"id": "r1",', ":3:13: is not JSON: Expecting property name"),
    "a list": ("[1, 2]", ":3: holds a list; each line must be a JSON object"),
    "a number": ("7", ":3: holds the number 7; each line must be"),
    "twice": ('{"id": "a", "id": "b"}', ":3: is not a usable JSON object: the key 'id' stands twice"),
    "missing": (question(9, question=...), ":3: missing field 'question'; known: answers, context, id, title"),
    "misspelt": (
        question(9, answers=..., answer=["x"]),
        ":3: missing field 'answers'; did you mean 'answer'? (known: answer, context, id, question, title)",
    ),
    "empty text": (question(9, context="  "), ":3: context: is empty"),
    "empty list": (question(9, answers=[]), ":3: answers: is empty"),
    "empty answer": (question(9, answers=["x", ""]), ":3: answers[1]: is empty"),
    "empty texts": (question(9, context=["", " "]), ":3: context: is empty"),
    "type of text": (question(9, question=5), ":3: question: the number 5 found where a text is needed"),
    "type of answers": (question(9, answers={"text": "x"}), ":3: answers: an object found where a list is needed"),
    "type of answer": (question(9, answers=[True]), ":3: answers[0]: true or false found where a text is needed"),
    "type of id": (question(9, id=1.5), ":3: id: the number 1.5 found where a text is needed"),
    "null": (question(9, context=None), ":3: context: null found where a text is needed"),
    "duplicate id": (question(9, id="r1"), ":3: id: 'r1' is that of record 1 too; each record needs an id of its own"),
    "nested too deep": ("[" * 100_000, ":3: "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_name_file_and_line(name: str, tmp_path: Path) -> None:
    record, message = BROKEN[name]
    path = write(tmp_path / "records.jsonl", [question(1), question(2), record, question(4)])
    with pytest.raises(LocatedError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(b'{"id": "1"}\n{"id": "\xff"}\n')
    with pytest.raises(LocatedError, match=r"records\.jsonl:2:9: byte 0xff is not UTF-8"):
        list(read_rows(path))


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"data: there is no file .*none\.jsonl"):
        load(tmp_path / "none.jsonl")
    with pytest.raises(SuiteError, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(SuiteError, match="there are no records"):
        load(write(tmp_path / "empty.jsonl", ["", "  "]))


def test_marks_and_line_ends_of_other_systems(tmp_path: Path) -> None:
    path = write(tmp_path / "records.jsonl", [question(1), "", question(2)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert [record.id for record in load(path)] == ["r1", "r2"]


def test_records_share_documents(tmp_path: Path) -> None:
    first, second = load(write(tmp_path / "r.jsonl", [question(1), question(2, context=context(1), title="other")]))
    assert first.document is second.document
    assert first.document.title == "Text 1"
    assert first.answers == ("lamp 1",)


def test_where_the_answer_stands() -> None:
    document = Document("", "red and blue and red")
    assert Question("", document, "", ("green", "blue", "red")).places() == ((8, 12),)
    assert Question("", document, "", ("green", "BLUE")).places() == ((8, 12),)
    assert Question("", document, "", ("green",)).places() == ((0, len(document.text)),)
    assert Question("", document, "", ("A",), options=("x", "y")).places() == ((0, len(document.text)),)


def test_words_of_texts_without_spaces() -> None:
    document = Document("", "雨が降る red fox。")
    assert document.size == 7
    assert document.head(2) == "雨が"
    assert document.head(5) == "雨が降る red"


def test_renamed_fields(tmp_path: Path) -> None:
    record = {"key": 5, "doc": {"body": ["one two.", "", "three."]}, "query": "q?", "gold": "two", "more": ["2", "two"]}
    path = write(tmp_path / "r.jsonl", [record])
    (found,) = load(path, id="key", context="doc.body", question="query", answers=["gold", "more"])
    assert (found.id, found.document.text, found.answers) == ("5", "one two. three.", ("two", "2"))


def test_records_without_id_are_numbered(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", ["", question(1, id=...), question(2, id=...)])
    assert [record.id for record in load(path, id=None)] == ["2", "3"]


def test_several_questions_in_a_record(tmp_path: Path) -> None:
    record = {
        "article": context(1),
        "questions": [{"question": "a?", "options": ["x", "y"], "gold_label": 2}, {"question": "b?", "options": ["x"]}],
    }
    path = write(tmp_path / "r.jsonl", [record])
    fields = {"id": None, "context": "article", "answers": "gold_label", "first_option": 1, "each": "questions"}
    with pytest.raises(LocatedError, match=r"r\.jsonl:1: question 2: options: 1 choices; there can be 2 to 4"):
        load_choices(path, **fields)
    record["questions"] = [{"question": f"{n}?", "options": ["x", "y"], "gold_label": n} for n in (2, 1)]
    found = load_choices(write(path, [record]), **fields)
    assert [(each.id, each.text, each.answers) for each in found] == [("1.1", "2?", ("B",)), ("1.2", "1?", ("A",))]


@pytest.mark.parametrize(
    ("answers", "letters"),
    [
        ("B", ("B",)),
        (["C", "A"], ("A", "C")),
        ("CA", ("A", "C")),
        ("A, D", ("A", "D")),
        (0, ("A",)),
        ([3, 1], ("B", "D")),
        ("green", ("C",)),
        (["red", "green"], ("A", "C")),
    ],
)
def test_right_choices(answers: Any, letters: tuple[str, ...], tmp_path: Path) -> None:
    record = question(1, answers=answers, options=["red", "blue", "green", "grey"])
    (found,) = load_choices(write(tmp_path / "r.jsonl", [record]))
    assert found.answers == letters
    assert found.options == ("red", "blue", "green", "grey")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answers": "E"}, "answers: 'E' is none of the letters AB and none of the choices"),
        ({"answers": ""}, "answers: '' is none of the letters"),
        ({"answers": "C"}, "answers: 'C' is none of the letters AB"),
        ({"answers": 2}, "answers: 2 is the number of none of the 2 choices"),
        ({"answers": 1.5}, "answers: the number 1.5 found where a letter"),
        ({"answers": []}, "answers: is empty"),
        ({"options": ["x"]}, "options: 1 choices; there can be 2 to 4"),
        ({"options": list("abcde")}, "options: 5 choices"),
        ({"options": ["x", "x"]}, "options: the same choice stands twice"),
        ({"options": ["x", 3]}, r"options\[1\]: the number 3 found"),
        ({"options": ...}, "missing field 'options'"),
    ],
)
def test_wrong_choices(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    record = question(1, **{"options": ["x", "y"], "answers": "A", **changes})
    with pytest.raises(LocatedError, match=rf"r\.jsonl:1: {message}"):
        load_choices(write(tmp_path / "r.jsonl", [record]))


def test_flags_of_choices(tmp_path: Path) -> None:
    record = {"sentences": ["One.", "Two."], "question": "q?", "options": ["x", "y", "z"], "labels": [1, 0, 1]}
    path = write(tmp_path / "r.jsonl", [record])
    toefl = KNOWN["toefl"]
    (found,) = questions(rows_of(path, toefl), toefl, with_choices=True)
    assert (found.document.text, found.answers) == ("One. Two.", ("A", "C"))
    for labels, message in (([1, 0], "true or false"), ([2, 0, 0], "true or false"), ([0, 0, 0], "no choice is right")):
        write(path, [{**record, "labels": labels}])
        with pytest.raises(LocatedError, match=message):
            questions(rows_of(path, toefl), toefl, with_choices=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("squat", "fields: no data set 'squat'; did you mean 'squad'"),
        ({"contxt": "x"}, "fields: unknown field 'contxt'; did you mean 'context'"),
        ({"context": 3}, "fields.context: 3 is not the name of a field"),
        ({"context": None}, "fields.context: None is not the name"),
        ({"answers": []}, "fields.answers: "),
        ({"first_option": True}, "fields.first_option: True is not 0 or 1"),
        ({"first_option": 2}, "fields.first_option: 2 is not 0 or 1"),
    ],
)
def test_fields_that_are_wrong(given: Any, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        read_fields(given)


def test_known_data_sets() -> None:
    assert sorted(KNOWN) == ["hotpotqa", "musique", "quality", "squad", "toefl"]
    assert read_fields("quality").context == "article"
    assert read_fields(None) == Fields()


def test_paragraphs_in_order_of_hops(tmp_path: Path) -> None:
    found = chains(read_rows(write(tmp_path / "r.jsonl", [chain(1), chain(2)])), Fields())
    assert [document.title for document in found[0].needed] == ["P 1 1", "P 1 3"]
    assert [document.title for document in found[0].others] == ["P 1 0", "P 1 2"]
    assert found[0].cluster != found[1].cluster


def test_records_that_share_a_needed_paragraph_are_one_cluster(tmp_path: Path) -> None:
    first, second, third, fourth = (chain(number) for number in (1, 2, 3, 4))
    second["paragraphs"][0] = first["paragraphs"][1]
    third["paragraphs"][3] = second["paragraphs"][0]
    fourth["paragraphs"][0] = {**first["paragraphs"][1], "gold": False}
    found = chains(read_rows(write(tmp_path / "r.jsonl", [first, second, third, fourth])), Fields())
    assert found[0].cluster == found[1].cluster == found[2].cluster != found[3].cluster


@pytest.mark.parametrize(
    ("paragraphs", "message"),
    [
        ([], "paragraphs: is empty"),
        ("x", "paragraphs: a text found where a list is needed"),
        ([3], r"paragraphs\[0\]: the number 3 found where an object is needed"),
        ([{"text": "x"}], "missing field 'gold'"),
        ([{"text": "x", "gold": "yes"}], r"paragraphs\[0\]\.gold: a text found where true or false is needed"),
        ([{"text": "", "gold": True}], r"paragraphs\[0\]\.text: is empty"),
        ([{"text": "x", "gold": False}], "no paragraph is marked as needed"),
    ],
)
def test_wrong_paragraphs(paragraphs: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [chain(1), chain(2, paragraphs=paragraphs)])
    with pytest.raises(LocatedError, match=rf"r\.jsonl:2: {message}"):
        chains(read_rows(path), Fields())


def test_paragraphs_in_parallel_lists(tmp_path: Path) -> None:
    record = {
        "id": "h1",
        "question": "q?",
        "answer": "blue",
        "context": {"title": ["A", "B", "C"], "sentences": [["One.", "Two."], ["Three."], ["Four."]]},
        "supporting_facts": {"title": ["C", "A", "A"], "sent_id": [0, 0, 1]},
    }
    path = write(tmp_path / "r.jsonl", [record])
    (found,) = chains(read_rows(path), KNOWN["hotpotqa"])
    assert [(document.title, document.text) for document in found.needed] == [("A", "One. Two."), ("C", "Four.")]
    record["supporting_facts"] = {"title": ["D"]}
    with pytest.raises(LocatedError, match=r":1: supporting_facts\.title: 'D' is none of the titles"):
        chains(read_rows(write(path, [record])), KNOWN["hotpotqa"])


def test_answers_and_their_aliases(tmp_path: Path) -> None:
    paragraphs = [
        {"idx": 0, "title": "A", "paragraph_text": "One.", "is_supporting": True},
        {"idx": 1, "title": "B", "paragraph_text": "Two.", "is_supporting": False},
    ]
    record = {"id": "m", "question": "q?", "answer": "one", "answer_aliases": ["1", "one"], "paragraphs": paragraphs}
    bare = {**record, "id": "n", "answer_aliases": []}
    found = chains(read_rows(write(tmp_path / "r.jsonl", [record, bare])), KNOWN["musique"])
    assert [each.answers for each in found] == [("one", "1"), ("one",)]


def test_each_document_is_used_once_before_any_is_used_twice() -> None:
    records = [f"{document}{number}" for document in "abc" for number in range(3)] + ["d0"]
    clusters = [record[0] for record in records]
    order = in_rounds(records, clusters, 1)
    assert sorted(order) == sorted(records)
    assert {record[0] for record in order[:4]} == set("abcd")
    assert {record[0] for record in order[4:7]} == set("abc")
    assert order == in_rounds(records, clusters, 1)
    assert order != in_rounds(records, clusters, 2)
    orders = Orders(records, clusters)
    assert [orders.at(1, index) for index in range(10)] == order
    with pytest.raises(SuiteError, match="item 10 is asked for; there are 10 records"):
        orders.at(1, 10)


def test_passages_of_a_book(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join([f"Line {n}\nof " + "word " * 60 for n in range(9)] + ["x " * 700]), encoding="utf-8")
    found = passages(path)
    assert all(100 <= passage.size <= 250 for passage in found)
    assert found[0].text.startswith("Line 0 of word")
    path.write_text("too short", encoding="utf-8")
    with pytest.raises(SuiteError, match="fewer than 100 words"):
        passages(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SuiteError, match="is not UTF-8 text"):
        passages(path)
    with pytest.raises(SuiteError, match="cannot be read"):
        passages(tmp_path / "none.txt")


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Stands in for `datasets`: the calls it got, and what it gives."""
    state: dict[str, Any] = {"calls": [], "rows": [question(1), question(2)]}

    def load_dataset(*args: Any, **kwargs: Any) -> list[Any]:
        state["calls"].append((args, kwargs))
        if isinstance(state["rows"], Exception):
            raise state["rows"]
        return list(state["rows"])

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    hub._load.cache_clear()
    yield state
    hub._load.cache_clear()


def test_data_sets_of_the_hub(fake_hub: dict[str, Any]) -> None:
    data = "hub:some/set@v1#config/validation"
    assert [record.id for record in questions(rows_of(data, Fields()), Fields())] == ["r1", "r2"]
    assert fake_hub["calls"] == [(("some/set", "config"), {"split": "validation", "revision": "v1"})]
    assert str(HubData.parse(data)) == data
    before = digest_of(data)
    assert len(fake_hub["calls"]) == 1
    hub._load.cache_clear()
    fake_hub["rows"][0] = question(3)
    assert digest_of(data) != before


def test_errors_of_the_hub(fake_hub: dict[str, Any]) -> None:
    fake_hub["rows"] = [question(1), question(2, context="")]
    with pytest.raises(SuiteError, match="hub:a/b#test, row 2: context: is empty"):
        questions(rows_of("hub:a/b#test", Fields()), Fields())
    fake_hub["rows"] = OSError("no network")
    with pytest.raises(SuiteError, match="hub:c#test cannot be loaded: OSError: no network"):
        list(rows_of("hub:c#test", Fields()))
    for name in ("hub:a/b", "hub:#test", "hub:a b#c", "hub:a#x/y/z"):
        with pytest.raises(SuiteError, match="is not of the form hub:"):
            list(rows_of(name, Fields()))


def test_datasets_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    hub._load.cache_clear()
    with pytest.raises(SuiteError, match="hub:a/b#test needs the package `datasets`: pip install datasets"):
        list(rows_of("hub:a/b#test", Fields()))
