"""`sparsetol show`: a certificate as people read it."""

from __future__ import annotations

import argparse
from pathlib import Path

_WIDTH = 160
"""Of output that goes to a file: the table of levels is wide."""


def add(parser: argparse.ArgumentParser) -> None:
    """The file."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a certificate, such as certificate.json")


def run(arguments: argparse.Namespace) -> int:
    """Print claims, evidence and what they hold for; 1 if the file is no certificate or was changed."""
    from rich.table import Table
    from rich.text import Text

    from pytest_sparsetol.commands.output import complain, output
    from pytest_sparsetol.errors import CertificateError
    from pytest_sparsetol.report.certificate import claims_table, ends, facts, frontier_table
    from pytest_sparsetol.sweep.certificate import read

    console = output(_WIDTH)
    try:
        certificate = read(arguments.file)
    except CertificateError as error:
        complain(error)
        return 1
    console.print(Text("Largest sparsity shown safe", style="bold"))
    console.print(claims_table(certificate))
    console.print()
    known = Table(box=None, pad_edge=False, show_header=False)
    known.add_column(style="bold", no_wrap=True)
    for name, text in facts(certificate):
        known.add_row(name, Text(text))
    console.print(known)
    console.print()
    console.print(Text("Every level that was tested (scores and losses in points)", style="bold"))
    console.print(frontier_table(certificate))
    console.print()
    console.print(Text("Why nothing further up is shown", style="bold"))
    for line in ends(certificate):
        console.print(Text(line))
    return 0
