"""Tables as text, to be printed by pytest or a command."""

from __future__ import annotations

import io
import shutil

from rich.console import Console

LEAST_WIDTH = 100
"""Columns that the tables need."""


def terminal_width() -> int:
    """Columns of the terminal, or those that the tables need."""
    return max(LEAST_WIDTH, shutil.get_terminal_size().columns)


def text_console(*, width: int, colour: bool) -> Console:
    """A console that shows nothing: `with console.capture() as drawn:` gives what was printed by `drawn.get()`."""
    return Console(file=io.StringIO(), width=width, force_terminal=colour, color_system="standard" if colour else None)
