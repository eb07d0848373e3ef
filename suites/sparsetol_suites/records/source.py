"""Where records come from: a JSON Lines file or a data set of the hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from sparsetol_suites.records import checks
from sparsetol_suites.records.fields import Fields
from sparsetol_suites.records.hub import HubData, is_hub
from sparsetol_suites.records.rows import Row, kind_of, read_rows

Data = Path | str
"""A file's path, or `hub:<id>[@revision]#[config/]split`."""


def rows_of(data: Data, fields: Fields) -> Iterator[Row]:
    """The rows of a file or data set; where `fields.each` names a list of questions, one row a question."""
    rows = HubData.parse(data).rows() if is_hub(data) else read_rows(Path(data))
    if fields.each is None:
        yield from rows
        return
    for row in rows:
        for place, entry in enumerate(checks.entries(row, fields.each, checks.need(row, fields.each))):
            if not isinstance(entry, dict):
                raise row.error(f"{fields.each}[{place}]: {kind_of(entry)} found where an object is needed")
            yield Row(row.source, row.number, {**row.data, **entry}, part=place + 1)


def files_of(data: Data | None) -> tuple[Path, ...]:
    """The local files among where data comes from."""
    return (data,) if isinstance(data, Path) else ()


def digest_of(data: Data | None) -> str:
    """SHA-256 of the rows of a data set of the hub; empty for files, which are read by whoever needs it."""
    if data is None or not is_hub(data):
        return ""
    digest = hashlib.sha256()
    for row in HubData.parse(data).rows():
        digest.update(json.dumps(row.data, sort_keys=True, default=str).encode() + b"\n")
    return digest.hexdigest()
