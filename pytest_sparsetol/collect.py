"""Contracts as pytest sees them: a file, its deployments, and one item a cell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sparsetol.announce import announce
from pytest_sparsetol.cells import Cell, cells
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.errors import CoverageWarning, PowerWarning
from pytest_sparsetol.gaps import gap_of
from pytest_sparsetol.keys import SESSION_KEY
from pytest_sparsetol.mixing import terms
from pytest_sparsetol.planning.outlook import shortfall
from pytest_sparsetol.report.detail import describe_cell, describe_mix
from pytest_sparsetol.report.junit import properties
from pytest_sparsetol.report.outcome import outcome
from pytest_sparsetol.report.progress import ProgressLine
from pytest_sparsetol.result import CellResult, MixResult
from pytest_sparsetol.session import GateSession
from pytest_sparsetol.sweep.feasible import check_sweep


class GateFailure(Exception):
    """A red verdict; its text is what the user reads, headline first."""


class ContractFile(pytest.File):
    """A contract; collecting it reads and checks it."""

    def collect(self) -> Iterator[pytest.Collector]:
        """One node a deployment, or a policy in a sweep. A contract that cannot be used is one collection error.

        Deployments of one model follow each other, so that each model is loaded once.
        """
        session = self.config.stash[SESSION_KEY]
        try:
            contracts = session.contracts(self.path)
            # What is said of a contract's suite and items is the same for each of its models.
            contract = contracts[0]
            if session.sweep:
                check_sweep(contract)
        except ValueError as error:
            raise self.CollectError(_relative(str(error), self.path, self.config.rootpath)) from None
        gap = gap_of(contract)
        if gap is not None:
            announce(self, CoverageWarning(gap))
        if session.sweep:
            from pytest_sparsetol.sweep.item import policy_nodes

            yield from policy_nodes(self, contract)
            return
        short = shortfall(contract)
        if short is not None:
            announce(self, PowerWarning(short))
        for contract in contracts:
            for policy in dict.fromkeys(cell.policy for cell in cells(contract)):
                yield Deployment.from_parent(self, name=policy, contract=contract)


class Deployment(pytest.Collector):
    """A deployment of a contract, of one of its models where it has several."""

    def __init__(self, *, contract: Contract, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.contract = contract

    def collect(self) -> Iterator[CellItem]:
        """One item a cell."""
        for cell in cells(self.contract):
            if cell.policy == self.name:
                # Said as text, the id is read as `--lf` and command lines read it: pytest 9.2 splits off the bracket.
                item = CellItem.from_parent(
                    self, name=cell.name, nodeid=f"{self.nodeid}::{cell.name}", contract=self.contract, cell=cell
                )
                item.add_marker("sparsetol")
                yield item


class CellItem(pytest.Item):
    """One cell, or the mix of its siblings."""

    def __init__(self, *, contract: Contract, cell: Cell, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.contract = contract
        self.cell = cell

    def runtest(self) -> None:
        """Run or weigh, then pass, skip where the contract only wants a warning, or fail."""
        session = self.config.stash[SESSION_KEY]
        try:
            result = self._result(session)
        finally:
            # An unexpected error leaves a result with the session, though none was returned.
            kept = session.results.get(self.nodeid) or session.mixes.get(self.nodeid)
            if kept is not None:
                self.user_properties.extend(properties(kept))
        kind, text = conclude(session, self.contract, result)
        if kind == "skipped":
            pytest.skip(text)
        if kind == "failed":
            raise GateFailure(text)

    def _result(self, session: GateSession) -> CellResult | MixResult:
        if self.cell.is_mix:
            return session.mix(self.contract, self.cell, self.nodeid)
        with ProgressLine(self.config, self.nodeid) as progress:
            return session.run(self.contract, self.cell, self.nodeid, progress)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """The verdict without a traceback; anything else as pytest shows it."""
        if isinstance(excinfo.value, GateFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the deployment stands in the contract, and the heading of a failure."""
        line, _ = self.contract.document.position(("deployments", self.cell.deployment))
        return self.path, line - 1, f"{self.cell.name} {self.cell.policy}"


def conclude(session: GateSession, contract: Contract, result: CellResult | MixResult) -> tuple[str, str]:
    """The pytest outcome of a verdict and the text that goes with it."""
    found = outcome(result, terms(contract), session.without_pass())
    if found.kind != "failed" or terms(contract).warns_of(result.verdict):
        return found.kind, found.text
    lines = describe_mix(result) if isinstance(result, MixResult) else describe_cell(result)
    return found.kind, "\n".join([found.text, *lines])


def _relative(text: str, path: Path, root: Path) -> str:
    """Node ids and errors name files alike: from the root of the session where they lie under it."""
    return text.replace(str(path), str(path.relative_to(root))) if path.is_relative_to(root) else text
