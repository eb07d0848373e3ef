"""Fields of a row, checked: there, of the right type, not empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sparsetol_suites.located_yaml import nearest
from sparsetol_suites.records.rows import Row, kind_of

ABSENT = object()


def find(row: Row, path: str) -> object:
    """The value at a field's name, or at names joined by dots where fields hold objects; `ABSENT` if there is none."""
    if path in row.data:
        return row.data[path]
    value: Any = row.data
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ABSENT
        value = value[part]
    return value


def has(row: Row, path: str) -> bool:
    """Whether the field is there and not null."""
    return find(row, path) not in (ABSENT, None)


def need(row: Row, path: str) -> object:
    """As `find`, but a missing field is an error."""
    value = find(row, path)
    if value is ABSENT:
        raise row.error(f"missing field {path!r}; {nearest(path, map(str, row.data))}")
    return value


def text(row: Row, path: str) -> str:
    """A text that is not empty, without the white space around it."""
    return as_text(row, path, need(row, path))


def as_text(row: Row, path: str, value: object) -> str:
    """`value`, found at `path`, as a text that is not empty."""
    if not isinstance(value, str):
        raise row.error(f"{path}: {kind_of(value)} found where a text is needed")
    if not value.strip():
        raise row.error(f"{path}: is empty")
    return value.strip()


def joined(row: Row, path: str, value: object) -> str:
    """As `as_text`; of a list, those texts that are not empty are joined by spaces."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return as_text(row, path, value)
    # Sentences of published data sets are empty now and then.
    parts = [as_text(row, f"{path}[{place}]", entry) for place, entry in enumerate(value) if entry not in ("", " ")]
    return as_text(row, path, " ".join(parts))


def optional_text(row: Row, path: str) -> str:
    """As `text`, but a field that is missing, null or empty gives an empty text."""
    value = find(row, path)
    return "" if value is ABSENT or value is None or value == "" else as_text(row, path, value)


def name(row: Row, path: str | None) -> str:
    """A text or a whole number that identifies the row; its own number where no field does."""
    if path is None:
        return row.place
    value = need(row, path)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return as_text(row, path, value)


def entries(row: Row, path: str, value: object) -> Sequence[object]:
    """A list that is not empty."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise row.error(f"{path}: {kind_of(value)} found where a list is needed")
    if not value:
        raise row.error(f"{path}: is empty")
    return value


def texts(row: Row, path: str) -> tuple[str, ...]:
    """A list of texts, at least one and none of them empty."""
    value = entries(row, path, need(row, path))
    return tuple(as_text(row, f"{path}[{place}]", entry) for place, entry in enumerate(value))


def once(row: Row, own: str, seen: dict[str, str]) -> None:
    """Note the identity `own` of the row in `seen`; one that is there already is an error."""
    if own in seen:
        raise row.error(f"id: {own!r} is that of record {seen[own]} too; each record needs an id of its own")
    seen[own] = row.place
