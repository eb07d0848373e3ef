"""The store gives back what was recorded, says what is wrong, and never holds half a file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def damage(path: Path, change: Callable[[dict[str, Any], list[dict[str, Any]]], object]) -> None:
    """Change header and rows as somebody would who makes the checksum fit."""
    header, *rows = map(json.loads, path.read_text().splitlines())
    header["sha256"] = None
    change(header, rows)
    lines = [json.dumps(row) for row in rows]
    if "sha256" in header:
        header["sha256"] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    path.write_text("\n".join([json.dumps(header), *lines]) + "\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda header, rows: header.pop("sha256"), ", line 1, is damaged: sha256: "),
        (lambda header, rows: header.pop("fingerprint"), ", line 1, is damaged: fingerprint: "),
        (lambda header, rows: header.pop("recorded"), ", line 1, is damaged: recorded: "),
        (lambda header, rows: header["recorded"].update(seconds_per_item="long"), ", line 1, is damaged: recorded.sec"),
        (lambda header, rows: header.update(noise=[0.0]), ", line 1, is damaged: noise: "),
        (lambda header, rows: header.update(noise={"batch 1": []}), ", line 1, is damaged: noise.batch 1: "),
        (lambda header, rows: header.update(noise={"batch 1": ["0"]}), ", line 1, is damaged: noise.batch 1.0: "),
        (lambda header, rows: header.update(sparsetol_baseline=2), " is not in format 1 of this version"),
        (lambda header, rows: rows[1].pop("score"), ", line 3, is damaged: score: "),
        (lambda header, rows: rows[1].update(score=float("nan")), ", line 3, is damaged: score: "),
        (lambda header, rows: rows[1].update(weight=1), ", line 3, is damaged: weight: "),
        (lambda header, rows: rows[1].update(rows[0]), ", line 3, is damaged: item niah/1 stands there twice"),
        (lambda header, rows: rows.insert(1, []), ", line 3, is damaged: "),
    ],
)
def test_what_is_damaged_is_named_with_its_line_and_what_to_do(
    store: BaselineStore, change: Callable[[dict[str, Any], list[dict[str, Any]]], object], said: str
) -> None:
    path = store.path(FINGERPRINT)
    damage(path, change)

    with pytest.raises(BaselineError) as caught:
        store.read(FINGERPRINT)

    assert str(caught.value).startswith(f"baseline {path}{said}")
    assert str(caught.value).endswith(
        "; restore it from version control, or delete it and record it with --sparsetol-record"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ", line 1, is damaged: Invalid JSON"),
        (b"not json\n", ", line 1, is damaged: Invalid JSON"),
        (b"[]\n", ", line 1, is damaged: "),
        (b"[" * 100_000, ", line 1, is damaged: Invalid JSON"),
        (b'{"sparsetol_baseline": 2}\n', " is not in format 1"),
        (b"{}\n{}\n\xff\n", ", line 3, is damaged: byte 0xff is not UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_an_error(store: BaselineStore, content: bytes, said: str) -> None:
    path = store.path(FINGERPRINT)
    path.write_bytes(content)
    now = dataclasses.replace(FINGERPRINT, dtype="bfloat16")

    for looks in (
        lambda: store.read(FINGERPRINT),
        lambda: store.noise(FINGERPRINT),
        lambda: store.stored("niah", 1024, "c" * 64),
        lambda: store.explain_missing(now, 1, 1),
    ):
        with pytest.raises(BaselineError) as caught:
            looks()
        assert str(caught.value).startswith(f"baseline {path}{said}")


def test_a_file_that_cannot_be_read_is_an_error(store: BaselineStore) -> None:
    path = store.path(FINGERPRINT)
    path.unlink()
    path.mkdir()

    with pytest.raises(BaselineError, match=f"baseline {path} cannot be read: Is a directory"):
        store.read(FINGERPRINT)


def test_a_task_whose_name_begins_alike_is_another_one(store: BaselineStore) -> None:
    longer = dataclasses.replace(FINGERPRINT, task="niah-1k", length=2048)
    store.write(longer, ROWS, {"device": "cpu"})
    store.path(FINGERPRINT).unlink()

    assert store.stored("niah", 1024, "c" * 64) == []
    assert isinstance(store.explain_missing(FINGERPRINT, 3, 3), MissingInputError)


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


def test_a_folder_that_cannot_be_written_is_an_error_before_and_while_writing(tmp_path: Path) -> None:
    (tmp_path / "baselines").symlink_to(tmp_path / "gone" / "elsewhere")
    store = BaselineStore(tmp_path / "baselines", "frontier-small")
    said = f"baseline {store.path(FINGERPRINT)} cannot be written: "

    with pytest.raises(BaselineError) as caught:
        store.check_writable(FINGERPRINT)
    assert str(caught.value).startswith(said)
    with pytest.raises(BaselineError) as caught:
        store.write(FINGERPRINT, ROWS, {"device": "cpu"})
    assert str(caught.value).startswith(said)


def test_asking_whether_it_can_be_written_leaves_nothing(store: BaselineStore) -> None:
    before = sorted(store.folder.rglob("*"))

    store.check_writable(FINGERPRINT)

    assert sorted(store.folder.rglob("*")) == before
