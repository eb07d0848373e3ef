"""What an earlier run's report tells of the cells of a contract."""

from __future__ import annotations

from pytest_sparsetol.cells import policy_of
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.planning.assumptions import Cost, variation_from_evidence
from pytest_sparsetol.planning.release import Known
from pytest_sparsetol.report.jsonfile import Report
from pytest_sparsetol.result import CellResult


def earlier(contract: Contract, report: Report) -> dict[tuple[str, str, int], Known]:
    """By policy, group and length, for cells of a contract of this name that ran."""
    found = {}
    for cell in report.cells:
        if cell.contract == contract.path.name and cell.node_id in report.evidence and cell.items:
            variation = variation_from_evidence(report.evidence[cell.node_id])
            found[policy_of(cell.node_id), cell.group, cell.length] = Known(variation, _cost(cell))
    return found


def _cost(cell: CellResult) -> Cost:
    return Cost(cell.seconds / cell.items, f"as in the earlier run on {cell.device}, loading included", seen=True)
