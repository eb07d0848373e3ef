"""Whether a sweep can show anything at all, said when it is collected and not after hours."""

from __future__ import annotations

from pytest_sparsetol.cells import planned_items
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.statistics.planning import items_to_pass
from pytest_sparsetol.sweep.ladder import ladders, sequences


def check_sweep(contract: Contract) -> None:
    """Raise `LocatedError` where a contract cannot be swept: several models, nothing to climb, or too few items."""
    if contract.among:
        raise contract.document.error(
            ("model",),
            f"model: a sweep takes one, as a certificate is of one; the contract lists {', '.join(contract.among)}",
        )
    if contract.spec.certificate is not None:
        raise contract.document.error(
            ("certificate",),
            "certificate: a contract that cites one is not swept; sweep the contract that it came from",
        )
    first = next((ladder for ladder in ladders(contract) if ladder.levels), None)
    if first is None:
        raise contract.document.error(
            ("deployments",), "deployments: a sweep needs one that is not dense and reaches the lowest level"
        )
    for group in contract.spec.mix:
        tasks = [task for task in contract.suite.tasks if task.group == group]
        each = planned_items(first.at(contract, first.levels[0]), group) // len(tasks)
        for task in tasks:
            there = task.available()
            if there is not None and there < each:
                raise contract.document.error(
                    ("sweep", "items"), f"sweep.items: they ask task {task.name!r} for {each} items; it has {there}"
                )
    gate, number = contract.spec.gate, sequences(contract)
    confidence = 1 - (1 - gate.confidence) / number
    swept = first.at(contract, first.levels[0])
    needed = {group: items_to_pass(gate.threshold(group), confidence) for group in contract.spec.mix}
    if all(planned_items(swept, group) < count for group, count in needed.items()):
        group = min(needed, key=lambda name: needed[name])
        raise contract.document.error(
            ("sweep", "items"),
            f"sweep.items: {planned_items(swept, group)} items show nothing in {group}, even without a loss, as "
            f"{number} claims share the error; {needed[group]} do",
        )
