"""`sparsetol plan`: how many items a contract needs so that a safe release is green, and how long they take."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """The contract, its profile, an earlier run, and how often a safe release is to be green."""
    parser.add_argument("contract", type=Path, metavar="CONTRACT", help="the contract")
    parser.add_argument("--profile", metavar="NAME", help="lay this profile over the contract")
    parser.add_argument("--report", type=Path, metavar="PATH", help="an earlier run's --sparsetol-json, to plan from")
    parser.add_argument(
        "--power", type=_share, default=0.9, metavar="P", help="how often a safe release is to be green (0.9)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the plan; 1 if contract, report or a baseline is wrong, or if no number of items would do."""
    from sparsetol_suites.errors import SuiteError

    from pytest_sparsetol.commands.output import complain, output
    from pytest_sparsetol.conftests import load_conftests
    from pytest_sparsetol.contract import load_contracts
    from pytest_sparsetol.errors import SparsetolError
    from pytest_sparsetol.planning.earlier import earlier
    from pytest_sparsetol.planning.release import plan_release
    from pytest_sparsetol.report.jsonfile import read_json
    from pytest_sparsetol.report.plan import plan_table, sentences

    try:
        load_conftests(arguments.contract)
        contracts = load_contracts(arguments.contract, arguments.profile)
        known = {} if arguments.report is None else earlier(contracts[0], read_json(arguments.report))
        plan = plan_release(contracts, arguments.power, known)
    except (SparsetolError, SuiteError, ValueError) as error:
        complain(error)
        return 1
    console = output()
    console.print(plan_table(plan))
    console.print()
    for text in sentences(plan):
        console.print(text, markup=False, soft_wrap=True)
    return 0 if plan.most is not None else 1


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share of runs of at least 0.5 and under 1, such as 0.9")
    return value
