"""Rows of JSON Lines files, each with its place for errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.located_yaml import LocatedError


@dataclass(frozen=True)
class Row:
    """One record as its source holds it.

    Attributes:
        source: the file, or the name of a data set.
        number: line of the file or row of the data set, counted from 1.
        data: fields by name.
        part: number of the question, from 1, where a record holds several; else 0.

    """

    source: Path | str
    number: int
    data: Mapping[str, Any]
    part: int = 0

    @property
    def place(self) -> str:
        """The row's number, and the question's in it."""
        return f"{self.number}.{self.part}" if self.part else str(self.number)

    def error(self, message: str) -> LocatedError | SuiteError:
        """An error about this row; the caller raises it."""
        if self.part:
            message = f"question {self.part}: {message}"
        if isinstance(self.source, Path):
            return LocatedError(message, self.source, self.number)
        return SuiteError(f"{self.source}, row {self.number}: {message}")


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a JSON Lines file: one object a line, in UTF-8; empty lines are passed over.

    Raises `SuiteError` where the file cannot be read and `LocatedError` about the first bad line.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise SuiteError(f"data: there is no file {path}") from None
    except OSError as error:
        raise SuiteError(f"data: {path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        yield Row(path, number, _parse(line, path, number))


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        data = json.loads(line.decode("utf-8"), object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise LocatedError(f"byte {line[error.start]:#04x} is not UTF-8", path, number, error.start + 1) from None
    except json.JSONDecodeError as error:
        raise LocatedError(f"is not JSON: {error.msg}", path, number, error.colno) from None
    except (RecursionError, ValueError) as error:
        raise LocatedError(f"is not a usable JSON object: {error}", path, number) from None
    if not isinstance(data, dict):
        raise LocatedError(f"holds {kind_of(data)}; each line must be a JSON object", path, number)
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice")
        found[key] = value
    return found


def kind_of(value: object) -> str:
    """A JSON value's kind, as errors say it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return f"the number {value!r}"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list | tuple) else "an object"
