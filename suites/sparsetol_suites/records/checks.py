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


def need(row: Row, path: str) -> object:
    """As `find`, but a missing field is an error."""
    value = find(row, path)
    if value is ABSENT:
        raise row.error(f"missing field {path!r}; {nearest(path, map(str, row.data))}")
    return value


def text(row: Row, path: str) -> str:
    """A text that is not empty, without the white space around it."""
    value = need(row, path)
    if not isinstance(value, str):
        raise row.error(f"{path}: {kind_of(value)} found where a text is needed")
    if not value.strip():
        raise row.error(f"{path}: is empty")
    return value.strip()


def optional_text(row: Row, path: str) -> str:
    """As `text`, but a field that is missing, null or empty gives an empty text."""
    value = find(row, path)
    if value is ABSENT or value is None or value == "":
        return ""
    return text(row, path)


def name(row: Row, path: str) -> str:
    """A text or a whole number that identifies the row."""
    value = need(row, path)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(row, path)


def texts(row: Row, path: str) -> tuple[str, ...]:
    """A list of texts, at least one and none of them empty; each is kept once."""
    value = need(row, path)
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise row.error(f"{path}: {kind_of(value)} found where a list of texts is needed")
    if not value:
        raise row.error(f"{path}: is empty")
    for place, entry in enumerate(value):
        if not isinstance(entry, str):
            raise row.error(f"{path}[{place}]: {kind_of(entry)} found where a text is needed")
        if not entry.strip():
            raise row.error(f"{path}[{place}]: is empty")
    return tuple(dict.fromkeys(entry.strip() for entry in value))
