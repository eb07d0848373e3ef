"""Progress of the cell that runs: one changing line on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import pytest

from pytest_sparsetol.result import points

SECONDS_BETWEEN_LINES = 30.0
"""In a log, so that a long cell shows that it lives without filling it."""

SECONDS_BETWEEN_UPDATES = 0.1


class ProgressLine:
    """Shows a cell's progress; silent under `-q` and in workers, which have no terminal."""

    def __init__(self, config: pytest.Config, node_id: str) -> None:
        self._terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._capture: Any = config.pluginmanager.get_plugin("capturemanager")
        if hasattr(config, "workerinput") or config.get_verbosity() < 0:
            self._terminal = None
        self._node_id = node_id
        self._live = self._terminal is not None and self._terminal.isatty
        self._begun = self._shown = time.monotonic()
        self._stage_begun = self._begun
        self._stage, self._done = "", 0
        self._written = False

    def __enter__(self) -> ProgressLine:
        return self

    def __call__(self, stage: str, done: int, total: int, loss: float | None) -> None:
        """Show that `done` of `total` items of `stage` are through, and the mean loss so far.

        A stage begins with its first call, or where `done` falls: what is left is estimated from then on.
        """
        now = time.monotonic()
        if stage != self._stage or done < self._done:
            self._stage, self._stage_begun = stage, now
        self._done = done
        wait = SECONDS_BETWEEN_UPDATES if self._live else SECONDS_BETWEEN_LINES
        if self._terminal is None or now - self._shown < wait:
            return
        self._shown = now
        text = f"  {self._node_id.partition('::')[2]}: {stage}"
        if total:
            text += f" {done}/{total}"
        if loss is not None:
            text += f", {points(loss)} points lost so far"
        if done and total > done:
            text += f", about {(now - self._stage_begun) / done * (total - done):.0f} s left"
        self._write(text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._written:
            return
        with self._capture.global_and_fixture_disabled():
            if self._live:
                self._terminal.write("\r\x1b[2K")
            self._terminal.write_fspath_result(self._node_id, "")

    def _write(self, text: str) -> None:
        with self._capture.global_and_fixture_disabled():
            if not self._written:
                self._terminal.ensure_newline()
            if self._live:
                width = self._terminal._screen_width if hasattr(self._terminal, "_screen_width") else 80
                self._terminal.write(f"\r\x1b[2K{text[: width - 1]}", flush=True)
            else:
                self._terminal.write_line(text)
        self._written = True
