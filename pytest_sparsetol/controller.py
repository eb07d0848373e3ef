"""The process that talks to the user: gathers results, weighs mixes for workers, writes reports, prints the summary."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_sparsetol.session import GateSession


class Controller:
    """Hooks of the reporting process; with pytest-xdist it collects and runs nothing itself."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._uncollected: list[str] = []
        self._unread: list[str] = []
        self._unwritten: str | None = None
        self._swept: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected, here or in a worker: contracts may be missing."""
        if report.failed:
            self._uncollected.append(f"{report.nodeid or 'a file'} was not collected: {report.longreprtext.strip()}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a worker measured; a worker that died leaves an ERROR."""
        from pytest_sparsetol import transport

        gate = self._known_session()
        if gate is not None:
            transport.take_owners(report, gate)
        if transport.is_attached(report):
            transport.take(report, self._session())
        elif str(report.when) == "???" and self._is_contract(report.nodeid):
            self._lose(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:  # noqa: ARG002  # xdist's names
        """Learn from a worker which cells are to run."""
        chosen = [node_id for node_id in ids if self._is_contract(node_id)]
        if chosen:
            self._session().selected = chosen

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Weigh what workers left, before pytest's own reports close; then write ours."""
        path = self._config.getoption("sparsetol_json")
        gate = self._known_session() if path is None else self._session()
        if gate is None or self._config.option.collectonly:
            return
        if gate.sweep:
            self._finish_sweep(session, gate)
            return
        stopped = _stopped(session)
        if self._config.pluginmanager.has_plugin("dsession"):
            self._unread = self._unreadable(gate)
            for node_id in gate.selected:
                if node_id not in gate.mixes:
                    self._weigh(session, gate, node_id)
            if self._unread:
                session.testsfailed += len(self._unread)
                _fail(session)
        if gate.without_pass():
            _fail(session)
        if path is not None:
            errors = [*self._uncollected, *self._unread, *stopped]
            self._write_json(session, gate, errors, self._config.invocation_params.dir / path)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The table."""
        gate = self._known_session()
        if gate is None or self._config.option.collectonly:
            return
        if gate.sweep:
            terminalreporter.section("sparsetol sweep")
            for text in self._swept:
                terminalreporter.write(text)
            return
        if not (gate.results or gate.mixes):
            return
        from pytest_sparsetol.report.console import terminal_width
        from pytest_sparsetol.report.terminal import summary

        terminalreporter.section("sparsetol")
        width = terminal_width()
        terminalreporter.write(summary(gate.in_order(), width=width, colour=terminalreporter.hasmarkup))
        found = gate.report().frontiers()
        if found:
            from pytest_sparsetol.report.equal_compute import equal_compute

            terminalreporter.section("models at equal compute", sep="-")
            terminalreporter.write(equal_compute(found, width=width, colour=terminalreporter.hasmarkup))
        if gate.shard is not None:
            ran, cells = len(gate.selected), sum(owner > 0 for owner in gate.shard.owners.values())
            terminalreporter.write_line(
                f"shard {gate.shard.index}/{gate.shard.of}: {ran} of {cells} cells; `sparsetol merge` decides the mixes"
            )
        for name in gate.without_pass():
            terminalreporter.write_line(f"{name}: nothing passed, so it is red", red=True)
        for error in self._unread:
            terminalreporter.write_line(error, red=True)
        if self._unwritten is not None:
            terminalreporter.write_line(self._unwritten, red=True)

    def _session(self) -> GateSession:
        from pytest_sparsetol.plugin import gate_session

        return gate_session(self._config)

    def _known_session(self) -> GateSession | None:
        """The session if a contract was met; sessions without one pay nothing."""
        from pytest_sparsetol.keys import SESSION_KEY

        return self._config.stash.get(SESSION_KEY, None)

    @staticmethod
    def _unreadable(gate: GateSession) -> list[str]:
        """Errors of contracts that workers ran and this process cannot read: their mixes would be missing unseen."""
        errors = []
        for path in dict.fromkeys(node_id.partition("::")[0] for node_id in gate.selected):
            try:
                gate.contracts(gate.root / path)
            except ValueError as error:
                errors.append(
                    f"its mixes were not weighed, so it is red: {error} (workers could read it: name the contract's "
                    "folder on the command line, so that its conftest.py is loaded in every process)"
                )
        return errors

    def _is_contract(self, node_id: str) -> bool:
        name = Path(node_id.partition("::")[0]).name
        return any(fnmatch.fnmatch(name, pattern) for pattern in self._config.getini("sparsetol_files"))

    def _lose(self, node_id: str) -> None:
        gate = self._session()
        if gate.sweep:
            # The ladder has no result, so that nothing is certified; its finished cells are kept.
            return
        found = gate.locate(node_id)
        if found is not None:
            gate.lose(*found, node_id, "ERROR", "the worker that ran it died")

    def _weigh(self, session: pytest.Session, gate: GateSession, node_id: str) -> None:
        """Decide a mix here and report it as a test of its own."""
        from pytest_sparsetol.collect import conclude
        from pytest_sparsetol.report.junit import properties

        found = gate.locate(node_id)
        if found is None or not found[1].is_mix:
            return
        contract, cell = found
        result = gate.mix(contract, cell, node_id)
        outcome, text = conclude(gate, contract, result)
        line = contract.document.position(("deployments", cell.deployment))[0]
        path = node_id.partition("::")[0]
        location = (path, line - 1, f"{cell.name} {cell.policy}")
        for when in ("setup", "call", "teardown"):
            acts = when == "call"
            longrepr: Any = None
            if acts and outcome == "failed":
                longrepr = text
            elif acts and outcome == "skipped":
                longrepr = (path, line, text)
            report = pytest.TestReport(
                nodeid=node_id,
                location=location,
                keywords={cell.name: 1, "sparsetol": 1},
                outcome=outcome if acts else "passed",  # type: ignore[arg-type]  # one of pytest's three
                longrepr=longrepr,
                when=when,
                user_properties=list(properties(result)),
                duration=0.0,
            )
            self._config.hook.pytest_runtest_logreport(report=report)
        if outcome == "failed":
            session.testsfailed += 1
            _fail(session)

    def _finish_sweep(self, session: pytest.Session, gate: GateSession) -> None:
        """Write what each contract's ladders show once all are climbed; say what is left to do otherwise."""
        from pytest_sparsetol.errors import SparsetolError
        from pytest_sparsetol.report.console import terminal_width
        from pytest_sparsetol.report.sweep import describe_written, unfinished
        from pytest_sparsetol.sweep.finish import finish

        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        colour = bool(getattr(terminal, "hasmarkup", False))
        width = terminal_width()
        for path in dict.fromkeys(node_id.partition("::")[0] for node_id in gate.selected):
            try:
                contract, climbed, missing = gate.climbed(path)
            except ValueError as error:
                # Workers could read it.
                self._swept.append(f"{path}: no certificate: {error}\n")
                _fail(session)
                continue
            if missing:
                self._swept.append(unfinished(path, len(climbed), missing, kept=gate.finished is not None))
                continue
            if terminal is not None and self._config.get_verbosity() >= 0:
                # Seconds for each level that is shown safe.
                terminal.ensure_newline()
                terminal.write_line(f"{path}: predicting at which levels a fresh gate passes")
            try:
                written = finish(contract, climbed)
            except SparsetolError as error:
                self._swept.append(f"{path}: {error}\n")
                _fail(session)
                continue
            self._swept.append(describe_written(path, written, width=width, colour=colour))

    def _write_json(self, session: pytest.Session, gate: GateSession, errors: Sequence[str], path: Path) -> None:
        """Write the report; what reads it must not take its absence, or what it lacks, for green."""
        from pytest_sparsetol.report.jsonfile import write_json

        gate.complete()
        if not (errors or gate.results or gate.mixes):
            errors = ["no cell was collected or selected"]
        try:
            write_json(path, gate.report(errors))
        except OSError as error:
            self._unwritten = f"report {path} cannot be written, so it is red: {error.strerror or error}"
            _fail(session)


def _stopped(session: pytest.Session) -> list[str]:
    """That the run did not come to its end, where it did not."""
    try:
        status = pytest.ExitCode(session.exitstatus)
    except ValueError:
        return [f"the run was stopped before its end (exit {session.exitstatus})"]
    if status in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return []
    return [f"the run was stopped before its end (exit {status.value}, {status.name.lower().replace('_', ' ')})"]


def _fail(session: pytest.Session) -> None:
    """Make a run red that is not; an interrupted one stays what it is."""
    if session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
