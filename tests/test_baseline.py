"""The store gives back what was recorded, says what is wrong, and never holds half a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from pytest_sparsetol.baseline import BaselineStore, Fingerprint, Row, write_atomically
from pytest_sparsetol.errors import BaselineError, MissingInputError

FINGERPRINT = Fingerprint(
    model="a" * 64,
    prompt="b" * 64,
    suite="c" * 64,
    task="niah",
    length=1024,
    dtype="float32",
    answer_tokens=16,
    end_of_text=(2, 7),
)
ROWS = {
    name: Row(name, "0123456789abcdef", score, missing=False, finish="stop", prompt_tokens=1000, answer_tokens=5)
    for name, score in (("niah/2", 0.5), ("niah/1", 1.0), ("niah/10", 0.0))
}


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    store = BaselineStore(tmp_path / "baselines", "frontier-small")
    store.write(FINGERPRINT, ROWS, {"device": "cpu"})
    return store


def test_rows_come_back_as_written(store: BaselineStore) -> None:
    assert store.read(FINGERPRINT) == ROWS


def test_a_file_is_sorted_lines_without_text_and_the_same_for_the_same_rows(store: BaselineStore) -> None:
    path = store.path(FINGERPRINT)
    text = path.read_text()

    store.write(FINGERPRINT, dict(reversed(ROWS.items())), {"device": "cpu"})

    assert path.read_text() == text
    assert [json.loads(line)["item"] for line in text.splitlines()[1:]] == ["niah/1", "niah/10", "niah/2"]
    assert path.name == f"niah-1k-{FINGERPRINT.digest()}.jsonl"


def test_nothing_stored_names_the_option_that_records(tmp_path: Path) -> None:
    error = BaselineStore(tmp_path / "baselines", "s").explain_missing(FINGERPRINT, 3, 3)

    assert isinstance(error, MissingInputError)
    assert "no dense baseline of niah[1k] in baselines/; record it with --sparsetol-record" in str(error)


def test_missing_items_are_counted(store: BaselineStore) -> None:
    error = store.explain_missing(FINGERPRINT, 2, 5)

    assert isinstance(error, MissingInputError)
    assert "lacks 2 of 5 items" in str(error)


@pytest.mark.parametrize(
    ("part", "value", "shown"),
    [
        ("model", "d" * 64, "model (aaaaaaaaaaaa stored, dddddddddddd now)"),
        ("dtype", "bfloat16", "dtype (float32 stored, bfloat16 now)"),
        ("end_of_text", (2,), "end_of_text ([2, 7] stored, [2] now)"),
    ],
)
def test_a_stale_baseline_is_an_error_that_says_what_changed(
    store: BaselineStore, part: str, value: object, shown: str
) -> None:
    now = dataclasses.replace(FINGERPRINT, **{part: value})  # type: ignore[arg-type]  # a part and its value

    assert store.read(now) == {}
    error = store.explain_missing(now, 3, 3)
    assert isinstance(error, BaselineError)
    assert "is stale" in str(error)
    assert shown in str(error)
    assert "--sparsetol-record" in str(error)


def test_an_edited_file_is_an_error(store: BaselineStore) -> None:
    path = store.path(FINGERPRINT)
    path.write_text(path.read_text().replace('"score":0.0', '"score":1.0'))

    with pytest.raises(BaselineError, match="checksum does not fit"):
        store.read(FINGERPRINT)


def test_a_truncated_file_is_an_error(store: BaselineStore) -> None:
    path = store.path(FINGERPRINT)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))

    with pytest.raises(BaselineError, match="checksum does not fit"):
        store.read(FINGERPRINT)


@pytest.mark.parametrize("text", ["", "not json\n", "[]\n", '{"sparsetol_baseline": 2}\n'])
def test_a_file_of_another_kind_is_an_error(store: BaselineStore, text: str) -> None:
    store.path(FINGERPRINT).write_text(text)

    with pytest.raises(BaselineError):
        store.read(FINGERPRINT)


def test_a_renamed_file_is_an_error(store: BaselineStore) -> None:
    other = dataclasses.replace(FINGERPRINT, dtype="bfloat16")
    store.path(FINGERPRINT).rename(store.path(other))

    with pytest.raises(BaselineError, match=r"not what its name says.*dtype"):
        store.read(other)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half \ud800")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
