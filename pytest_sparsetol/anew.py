"""What a run has recorded anew: its workers tell each other, so that each item is recorded once a run."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pytest_sparsetol.baseline import write_atomically
from pytest_sparsetol.errors import BaselineError


def _run() -> str:
    """Of all workers of one run the same; their parent tells runs apart that were given the same `--testrunuid`."""
    of_workers = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    return uuid.uuid4().hex if of_workers is None else f"{of_workers}/{os.getppid()}"


@dataclass(frozen=True)
class Anew:
    """Items that a run has recorded anew, one small file of this host a baseline; callers hold the baseline.

    Attributes:
        run: what other runs do not share.

    """

    run: str = field(default_factory=_run)

    def items(self, path: Path) -> set[str]:
        """Ids that this run has recorded; what another run left at `path` counts for nothing."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # Not there, or of no use: recorded once more at worst.
            return set()
        return set(found["items"]) if isinstance(found, dict) and found.get("run") == self.run else set()

    def add(self, path: Path, items: Iterable[str]) -> None:
        """Tell other workers; raises `BaselineError` where they cannot be told."""
        try:
            write_atomically(path, json.dumps({"run": self.run, "items": sorted(self.items(path) | set(items))}))
        except OSError as error:
            raise BaselineError(
                f"{path}, which tells other workers what is recorded, cannot be written: {error.strerror or error}"
            ) from None
