"""Pytest hooks: options, collection, and what happens when tests report. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import fnmatch
import math
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sparsetol.keys import LEFT_ALONE_KEY, SESSION_KEY

if TYPE_CHECKING:
    from pytest_sparsetol.collect import ContractFile
    from pytest_sparsetol.contract import Contract
    from pytest_sparsetol.distributed.shards import Shard
    from pytest_sparsetol.session import GateSession

PATTERNS = ("sparsetol.yaml", "*.sparsetol.yaml")


class _RecordAction(argparse.Action):
    """`--sparsetol-record` alone or with `=missing` or `=all`."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _: str | None = None
    ) -> None:
        chosen = values or "missing"
        if chosen not in {"missing", "all"}:
            # argparse takes a path that follows the bare option for its value.
            raise argparse.ArgumentError(
                self, f"takes missing or all, not {chosen!r}; before a path write --sparsetol-record=missing"
            )
        setattr(namespace, self.dest, chosen)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the command line and the ini file."""
    # Help texts say what the option does, without a full stop, values in capitals.
    group = parser.getgroup("sparsetol", "gate model releases served with sparse attention")
    group.addoption("--sparsetol", action="store_true", help="collect contracts wherever pytest looks for tests")
    group.addoption("--sparsetol-profile", metavar="NAME", help="lay this profile over each contract")
    group.addoption(
        "--sparsetol-record",
        nargs="?",
        action=_RecordAction,
        metavar="WHICH",
        help="write dense baselines before gating: 'missing' ones (the default), or anew 'all' that the run asks for",
    )
    group.addoption(
        "--sparsetol-sweep",
        action="store_true",
        help="find the largest safe sparsity of each method in place of gating; writes a certificate and a contract",
    )
    group.addoption(
        "--sparsetol-sweep-minutes",
        type=_minutes,
        metavar="MINUTES",
        help="begin no level of a sweep later than this; the certificate is of what was finished by then",
    )
    group.addoption("--sparsetol-json", metavar="PATH", help="write all results to this file as JSON")
    group.addoption(
        "--sparsetol-shard",
        metavar="PART/PARTS",
        help="run one part of the cells, such as 2/8; 'sparsetol merge' decides on the reports of all parts",
    )
    group.addoption(
        "--sparsetol-trust-remote-code",
        action="store_true",
        help="let models run code of their own where their contract allows it too",
    )
    parser.addini("sparsetol_files", "file names of contracts (glob patterns)", type="args", default=list(PATTERNS))
    parser.addini(
        "sparsetol_collect", "'named': only contracts on the command line; 'always': as tests", default="named"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "sparsetol: a cell of a contract that gates a model's release")
    config.stash[LEFT_ALONE_KEY] = []
    if config.getini("sparsetol_collect") not in {"named", "always"}:
        raise pytest.UsageError(
            f"sparsetol_collect = {config.getini('sparsetol_collect')!r}: named or always is needed"
        )
    if _shard(config) is not None and config.getoption("sparsetol_json") is None:
        raise pytest.UsageError("--sparsetol-shard needs --sparsetol-json PATH, which 'sparsetol merge' reads")
    path = config.getoption("sparsetol_json")
    if path is not None and (config.invocation_params.dir / path).is_dir():
        raise pytest.UsageError(f"--sparsetol-json {path!r} is a folder; name a file in it")
    if path is not None and not _may_hold_a_report(config.invocation_params.dir / path):
        # Where PATH is forgotten, argparse takes a test or the contract itself for it.
        raise pytest.UsageError(f"--sparsetol-json {path!r} is there and holds no report; name another file")
    if config.getoption("sparsetol_sweep_minutes") is not None and not config.getoption("sparsetol_sweep"):
        raise pytest.UsageError("--sparsetol-sweep-minutes is for --sparsetol-sweep, which is not there")
    if config.getoption("sparsetol_sweep") and config.getoption("sparsetol_json"):
        raise pytest.UsageError("--sparsetol-json is a gate's report; a sweep writes certificate.json")
    if config.getoption("sparsetol_sweep") and config.getoption("sparsetol_shard"):
        raise pytest.UsageError("a sweep takes no shards: spread it over workers with -n, or over runs with -k")


def _may_hold_a_report(path: Path) -> bool:
    """Whether a file is not there, empty, or JSON of an object by its first byte; one that cannot be read is let be."""
    try:
        if not path.is_file():
            return True
        with path.open("rb") as file:
            return file.read(1) in {b"", b"{"}
    except OSError:
        return True


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ContractFile | None:
    """Collect a contract where it was asked for."""
    if file_path.suffix != ".yaml" and file_path.suffix != ".yml":
        return None
    config = parent.config
    if not any(fnmatch.fnmatch(file_path.name, pattern) for pattern in config.getini("sparsetol_files")):
        return None
    if not _asked_for(config, file_path):
        config.stash[LEFT_ALONE_KEY].append(file_path)
        return None
    from pytest_sparsetol.collect import ContractFile

    gate_session(config)
    # Outside the root pytest's own ids leave out where a file is: its whole path tells it from all others.
    node_id = None if file_path.is_relative_to(config.rootpath) else file_path.as_posix()
    return ContractFile.from_parent(parent, path=file_path, nodeid=node_id)


def _asked_for(config: pytest.Config, path: Path) -> bool:
    if config.getoption("sparsetol") or config.getini("sparsetol_collect") == "always":
        return True
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return False
    # Like pytest, without following links: what is collected is called as it was named.
    named = (os.path.normpath(config.invocation_params.dir / argument.partition("::")[0]) for argument in config.args)
    return any(path.is_relative_to(folder) for folder in named)


def gate_session(config: pytest.Config) -> GateSession:
    """The session's state, made when the first contract is met."""
    if SESSION_KEY not in config.stash:
        from pytest_sparsetol.session import GateSession

        config.stash[SESSION_KEY] = GateSession(
            root=config.rootpath,
            profile=config.getoption("sparsetol_profile"),
            record=config.getoption("sparsetol_record"),
            trust_remote_code=config.getoption("sparsetol_trust_remote_code"),
            shard=_shard(config),
            sweep=config.getoption("sparsetol_sweep"),
            sweep_until=_sweep_until(config),
            finished=_finished(config),
        )
    known: GateSession = config.stash[SESSION_KEY]
    return known


def _shard(config: pytest.Config) -> Shard | None:
    text = config.getoption("sparsetol_shard")
    if text is None:
        return None
    from pytest_sparsetol.distributed.shards import parse_shard
    from pytest_sparsetol.errors import ShardError

    try:
        return parse_shard(text)
    except ShardError as error:
        raise pytest.UsageError(str(error)) from None


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of minutes above 0 is needed")
    return minutes


def _sweep_until(config: pytest.Config) -> float:
    minutes = config.getoption("sparsetol_sweep_minutes")
    return math.inf if minutes is None else time.monotonic() + 60 * minutes


def _finished(config: pytest.Config) -> Path | None:
    """Where a sweep keeps finished cells: in pytest's cache, which `--cache-clear` empties."""
    cache = getattr(config, "cache", None)
    return cache.mkdir("sparsetol-sweep") if cache is not None and config.getoption("sparsetol_sweep") else None


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Say what each contract's items can resolve, and that contracts were left alone, and how to run them."""
    contracts = {item.path: item.contract for item in items if hasattr(item, "cell") and hasattr(item, "contract")}
    lines = [f"sparsetol: {_shown(config, path)}: {_resolves(contract)}" for path, contract in contracts.items()]
    left = config.stash[LEFT_ALONE_KEY]
    if left:
        names = ", ".join(sorted(_shown(config, path) for path in left)[:3])
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        lines.append(
            f"sparsetol: not collected without being named: {names}{more} (name the file, or pass --sparsetol)"
        )
    return lines


def _shown(config: pytest.Config, path: Path) -> str:
    return str(path.relative_to(config.rootpath)) if path.is_relative_to(config.rootpath) else str(path)


def _resolves(contract: Contract) -> str:
    from pytest_sparsetol.planning.outlook import statement

    return statement(contract)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mixes last: they weigh what the cells before them found. In a shard, its own cells alone."""
    items.sort(key=_is_mix)
    if config.getoption("sparsetol_shard") is not None:
        from pytest_sparsetol.distributed.selection import leave_to_others

        leave_to_others(config, items)


def _is_mix(item: pytest.Item) -> bool:
    cell = getattr(item, "cell", None)
    return (
        cell is not None and bool(getattr(cell, "is_mix", False)) and item.get_closest_marker("sparsetol") is not None
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember which cells are to run; what was deselected is not among them."""
    chosen = [item.nodeid for item in session.items if item.get_closest_marker("sparsetol")]
    if chosen:
        gate_session(session.config).selected = chosen


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """In a worker, leave mixes to the controller, which alone sees all cells."""
    return True if hasattr(item.config, "workerinput") and _is_mix(item) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a cell's result travel with its report, from workers too."""
    report = yield
    if call.when == "setup" and hasattr(item, "cell") and item.get_closest_marker("sparsetol"):
        from pytest_sparsetol.transport import attach_owners

        attach_owners(report, gate_session(item.config))
    if report.skipped and call.when == "call" and hasattr(item, "cell"):
        # Where the contract says the deployment, not where this package skips.
        path, line, _ = item.reportinfo()
        report.longrepr = (str(path), (line or 0) + 1, str(call.excinfo.value) if call.excinfo else "")
    if (
        call.when == "call"
        and item.get_closest_marker("sparsetol")
        and (hasattr(item, "cell") or hasattr(item, "ladder"))
    ):
        from pytest_sparsetol.transport import attach

        attach(report, gate_session(item.config), item.nodeid)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """The process that talks to the user gathers results; workers only make them."""
    config = session.config
    if not hasattr(config, "workerinput"):
        from pytest_sparsetol.controller import Controller

        config.pluginmanager.register(Controller(config), "sparsetol-controller")
