"""Where commands print: tables to the standard output, what is wrong to the standard error."""

from __future__ import annotations

import sys

from rich.console import Console


def output(width: int = 120) -> Console:
    """The standard output: as wide as a terminal is, `width` columns in a file."""
    return Console(width=None if sys.stdout.isatty() else width, highlight=False)


def complain(error: Exception) -> None:
    """Say what is wrong. Errors name files and places: never broken into lines, never read as markup."""
    Console(file=sys.stderr, soft_wrap=True, markup=False, highlight=False).print(str(error))
