"""Rows of a run on a GPU: written as they come, so that a run that is cut short loses nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch


@dataclass
class Record:
    """The run's rows.

    Attributes:
        out: JSON file that holds all rows so far after each; None for none.
        deadline: `time.monotonic()` from which on nothing is begun.
        rows: the rows.

    """

    out: Path | None
    deadline: float
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, **row: Any) -> None:
        """Keep a row."""
        self.rows.append(row)
        print(json.dumps(row), flush=True)
        if self.out is not None:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self.out.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")

    def attempt(self, call: Callable[[], Any], /, **row: Any) -> Any:
        """Run something; what fails or comes too late is a row that says so, not the end of the run.

        Unless the device itself fails: nothing can be computed after that.
        """
        if time.monotonic() > self.deadline:
            self.add(**row, left_out="no time left")
            return None
        try:
            return call()
        except Exception as error:  # noqa: BLE001,RUF100  # a library that fails is a finding
            self.add(**row, error=f"{type(error).__name__}: {str(error)[:300]}")
        if torch.cuda.is_available():
            try:
                torch.cuda.synchronize()
            except RuntimeError as error:
                raise SystemExit(f"the device failed at the last row: {error}") from error
        return None

    @property
    def failed(self) -> bool:
        """Whether any row says that something failed."""
        return any("error" in row for row in self.rows)
