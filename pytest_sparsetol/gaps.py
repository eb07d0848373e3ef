"""The one warning about what a contract leaves without evidence."""

from __future__ import annotations

import pytest
from sparsetol_suites.coverage import unclaimed

from pytest_sparsetol.contract import Contract
from pytest_sparsetol.errors import CoverageWarning


def gap_of(contract: Contract) -> str | None:
    """What a contract cannot claim, None where its mix reaches all corners at all of its lengths."""
    gap = unclaimed(contract.suite, contract.spec.mix, contract.spec.lengths)
    return None if gap is None else f"{contract.path.name}: {gap}: its results claim nothing there"


def warn_of_gap(node: pytest.Collector, contract: Contract) -> None:
    """Warn once, where the contract is collected: under pytest-xdist in the first worker."""
    gap = gap_of(contract)
    first = getattr(node.config, "workerinput", {}).get("workerid", "gw0") == "gw0"
    if gap is not None and first:
        node.warn(CoverageWarning(gap))
