"""What a contract leaves without evidence."""

from __future__ import annotations

from sparsetol_suites.coverage import unclaimed

from pytest_sparsetol.contract import Contract


def gap_of(contract: Contract) -> str | None:
    """What a contract cannot claim, None where its mix reaches all corners at all of its lengths."""
    gap = unclaimed(contract.suite, contract.spec.mix, contract.spec.lengths)
    return None if gap is None else f"{contract.path.name}: {gap}: its results claim nothing there"
