"""The command line: `sparsetol COMMAND ...`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sparsetol.commands.command import Command

COMMANDS: dict[str, str] = {
    "lint": "check contracts and suites, and show what they cover",
    "merge": "decide on a run whose cells ran in shards, from the shards' reports",
    "plan": "say how many items a contract needs so that a safe release is green, and how long they take",
    "show": "print a certificate of safe sparsity: claims, evidence, and what they hold for",
}
"""One line of help each; the command's file adds its arguments in `add` and does its work in `run`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 if all is well, 1 if something is wrong with what was given; 2 is bad usage."""
    parser = argparse.ArgumentParser(
        prog="sparsetol", description="Contracts and suites of pytest-sparsetol; gates run with `pytest`."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        _module(name).add(commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + "."))
    chosen = parser.parse_args(arguments)
    done: int = _module(chosen.command).run(chosen)
    return done


def _module(name: str) -> Command:
    found: Command = importlib.import_module(f"pytest_sparsetol.commands.{name}")
    return found


if __name__ == "__main__":
    sys.exit(main())
