"""`sparsetol show`: a certificate as people read it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

_WIDTH = 160
"""Of output that goes to a file: the table of levels is wide."""


def add(parser: argparse.ArgumentParser) -> None:
    """The file."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a certificate, such as certificate.json")


def run(arguments: argparse.Namespace) -> int:
    """Print claims, evidence and what they hold for; 1 if the file is no certificate or was changed."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pytest_sparsetol.errors import CertificateError
    from pytest_sparsetol.report.certificate import claims_table, ends, facts, frontier_table
    from pytest_sparsetol.sweep.certificate import read

    output = Console(width=None if sys.stdout.isatty() else _WIDTH)
    try:
        certificate = read(arguments.file)
    except CertificateError as error:
        Console(file=sys.stderr, soft_wrap=True, markup=False, highlight=False).print(str(error))
        return 1
    output.print(Text("Largest sparsity shown safe", style="bold"))
    output.print(claims_table(certificate))
    output.print()
    known = Table(box=None, pad_edge=False, show_header=False)
    known.add_column(style="bold", no_wrap=True)
    for name, text in facts(certificate):
        known.add_row(name, Text(text))
    output.print(known)
    output.print()
    output.print(Text("Every level that was tested (scores and losses in points)", style="bold"))
    output.print(frontier_table(certificate))
    output.print()
    output.print(Text("Why nothing further up is shown", style="bold"))
    for line in ends(certificate):
        output.print(Text(line))
    return 0
