"""Rows of data sets of the Hugging Face hub, through `datasets`, which need not be installed."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.records.rows import Row

_NAME = re.compile(r"hub:(?P<id>[^@#\s]+)(?:@(?P<revision>[^@#\s]+))?#(?:(?P<config>[^/#\s]+)/)?(?P<split>[^/#\s]+)")


def is_hub(data: object) -> bool:
    """Whether this names a data set of the hub, and no file."""
    return isinstance(data, str) and data.startswith("hub:")


@dataclass(frozen=True)
class HubData:
    """A part of a data set.

    Attributes:
        id: its name on the hub, or the path of a local folder that `datasets` can load.
        revision: commit, tag or branch; None is the newest.
        config: of those that the data set has.
        split: such as `validation`.

    """

    id: str
    revision: str | None
    config: str | None
    split: str

    @classmethod
    def parse(cls, name: object) -> HubData:
        """From `hub:<id>[@revision]#[config/]split`; raises `SuiteError` for anything else."""
        match = _NAME.fullmatch(str(name))
        if match is None:
            raise SuiteError(f"data: {name!r} is not of the form hub:<id>[@revision]#[config/]split")
        return cls(match["id"], match["revision"], match["config"], match["split"])

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hub:{self.id}{revision}#{f'{self.config}/' if self.config else ''}{self.split}"

    def rows(self) -> Iterator[Row]:
        """The rows, in their order.

        Raises `SuiteError` where `datasets` is missing or cannot load them.
        """
        for number, data in enumerate(_load(self), start=1):
            yield Row(str(self), number, data)


@functools.cache
def _load(data: HubData) -> list[Mapping[str, Any]]:
    try:
        datasets = importlib.import_module("datasets")
    except ImportError as error:
        if error.name not in (None, "datasets"):
            raise SuiteError(f"data: {data} cannot be loaded: {error}") from None
        raise SuiteError(f"data: {data} needs the package `datasets`: pip install datasets") from None
    try:
        return list(datasets.load_dataset(data.id, data.config, split=data.split, revision=data.revision))
    except Exception as error:  # whatever the library raises, the suite's author has to read it
        raise SuiteError(f"data: {data} cannot be loaded: {type(error).__name__}: {error}") from None
