"""`sparsetol merge`: the verdict of a run whose cells ran in shards."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Reports of the shards, and what to write."""
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="--sparsetol-json of a shard")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all results to this file as JSON")
    parser.add_argument("--junitxml", type=Path, metavar="PATH", help="write all results to this file as JUnit XML")


def run(arguments: argparse.Namespace) -> int:
    """Print what all shards came to; 1 if that is red, or if a report cannot be used or written."""
    from pytest_sparsetol.commands.output import complain
    from pytest_sparsetol.distributed.merge import merge, order
    from pytest_sparsetol.errors import ReportError, SparsetolError
    from pytest_sparsetol.report.console import terminal_width
    from pytest_sparsetol.report.equal_compute import equal_compute
    from pytest_sparsetol.report.jsonfile import read_json, write_json
    from pytest_sparsetol.report.junit import write_junit
    from pytest_sparsetol.report.outcome import Outcome, outcomes
    from pytest_sparsetol.report.terminal import summary
    from pytest_sparsetol.verdict import without_pass

    try:
        for option, path in (("--json", arguments.json), ("--junitxml", arguments.junitxml)):
            if path is not None and _is_shard(path):
                raise ReportError(f"{option} {path} is a shard's report, which would be lost; name another file")
        report = merge({str(path): read_json(path) for path in arguments.reports})
    except SparsetolError as error:
        complain(error)
        return 1
    results = order(report)
    width, colour = terminal_width(), sys.stdout.isatty()
    sys.stdout.write(summary(results, width=width, colour=colour))
    found = report.frontiers()
    if found:
        sys.stdout.write(f"Models at equal compute\n{equal_compute(found, width=width, colour=colour)}")
    sys.stdout.writelines(f"{error}\n" for error in report.errors)
    idle = without_pass(results)
    for name in idle:
        sys.stdout.write(f"{name}: nothing passed, so it is red\n")
    decided: list[Outcome] = outcomes(results, report.contracts)
    for outcome in decided:
        if outcome.kind != "passed":
            sys.stdout.write(f"{outcome.kind.upper()} {outcome.result.node_id} - {outcome.text}\n")
    try:
        if arguments.json is not None:
            write_json(arguments.json, report)
        if arguments.junitxml is not None:
            write_junit(arguments.junitxml, decided)
    except OSError as error:
        complain(ReportError(f"{error.filename2 or error.filename} cannot be written: {error.strerror}"))
        return 1
    return 1 if report.errors or idle or any(outcome.kind == "failed" for outcome in decided) else 0


def _is_shard(path: Path) -> bool:
    from pytest_sparsetol.errors import ReportError
    from pytest_sparsetol.report.jsonfile import read_json

    try:
        return read_json(path).shard is not None
    except ReportError:
        return False
