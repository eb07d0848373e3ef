"""Ladders as pytest sees them: one node a policy, one item a length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sparsetol.collect import GateFailure
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.keys import SESSION_KEY
from pytest_sparsetol.report.progress import ProgressLine
from pytest_sparsetol.result import headline
from pytest_sparsetol.sweep.ladder import Ladder, Policy, ladders, policies


class PolicyNode(pytest.Collector):
    """A policy of a contract, whatever its sparsity."""

    def __init__(self, *, contract: Contract, policy: Policy, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.contract = contract
        self.policy = policy

    def collect(self) -> Iterator[LadderItem]:
        """One item a length."""
        for ladder in ladders(self.contract):
            if ladder.policy.name == self.policy.name:
                item = LadderItem.from_parent(
                    self,
                    name=ladder.name,
                    nodeid=f"{self.nodeid}::{ladder.name}",
                    contract=self.contract,
                    ladder=ladder,
                )
                item.add_marker("sparsetol")
                yield item


class LadderItem(pytest.Item):
    """Climbs a ladder. It passes when it was climbed, whatever was found: a sweep measures, it does not judge."""

    def __init__(self, *, contract: Contract, ladder: Ladder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.contract = contract
        self.ladder = ladder

    def runtest(self) -> None:
        """Climb; fail where a cell could not be run."""
        session = self.config.stash[SESSION_KEY]
        with ProgressLine(self.config, self.nodeid) as progress:
            result = session.climb(self.contract, self.ladder, self.nodeid, progress)
        if result.error is not None:
            verdict, reason = result.error
            raise GateFailure(headline(verdict, self.name, self.ladder.policy.name, reason))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """The reason without a traceback; anything else as pytest shows it."""
        if isinstance(excinfo.value, GateFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the deployments stand in the contract, and the heading of a failure."""
        line, _ = self.contract.document.position(("deployments",))
        return self.path, line - 1, f"{self.name} {self.ladder.policy.name}"


def policy_nodes(parent: pytest.File, contract: Contract) -> Iterator[PolicyNode]:
    """The nodes under a contract that is swept."""
    for policy in policies(contract):
        yield PolicyNode.from_parent(parent, name=policy.name, contract=contract, policy=policy)
