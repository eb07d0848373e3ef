"""`sparsetol lint`: whether contracts and suites are right, and what they cover."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from pytest_sparsetol.contract import Contract


def add(parser: argparse.ArgumentParser) -> None:
    """Files and the profile."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a contract, or a suite of your own")
    parser.add_argument("--profile", metavar="NAME", help="lay this profile over each contract")


def run(arguments: argparse.Namespace) -> int:
    """Check each file and print its tables; 1 if one of them is wrong."""
    from sparsetol_suites.errors import SuiteError

    from pytest_sparsetol.commands.output import complain, output
    from pytest_sparsetol.errors import SparsetolError

    console = output()
    wrong = 0
    for path in arguments.files:
        try:
            _lint(path, arguments.profile, console)
        except (SuiteError, SparsetolError, ValueError) as error:
            wrong += 1
            complain(error)
    return 1 if wrong else 0


def _lint(path: Path, profile: str | None, console: Console) -> None:
    from sparsetol_suites.located_yaml import load
    from sparsetol_suites.suite import load_suite

    from pytest_sparsetol.conftests import load_conftests
    from pytest_sparsetol.contract import load_contracts
    from pytest_sparsetol.report.coverage import corner_table, task_table

    load_conftests(path)
    data = load(path).data
    contracts: tuple[Contract, ...] = ()
    if "contract" not in data and "tasks" in data:
        suite = load_suite(str(path.absolute()), path.parent)
        title = f"suite {suite.name}, version {suite.version}"
    else:
        contracts = load_contracts(path, profile)
        suite = contracts[0].suite
        models = ", ".join(contract.model_name for contract in contracts)
        title = f"suite {suite.name}, version {suite.version}, for {models}"
    mix = contracts[0].spec.mix if contracts else None
    lengths = contracts[0].spec.lengths if contracts else ()
    console.print(f"{path}: well-formed; {title}", markup=False, soft_wrap=True)
    console.print()
    console.print(task_table(suite, mix))
    console.print()
    console.print(corner_table(suite, mix, lengths))
    console.print()
    if contracts:
        _say_gap(contracts[0], console)


def _say_gap(contract: Contract, console: Console) -> None:
    from pytest_sparsetol.gaps import gap_of

    gap = gap_of(contract)
    if gap is not None:
        console.print(f"warning: {gap}", style="yellow", markup=False, soft_wrap=True)
