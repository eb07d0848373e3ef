"""What a command's file holds."""

from __future__ import annotations

import argparse
from typing import Protocol


class Command(Protocol):
    """Heavy modules are imported in `run`, so that help stays quick."""

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do the work; return the exit status."""
