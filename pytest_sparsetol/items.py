"""The items of a cell, as the model gets them and in the order that they run."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from sparsetol_suites.item import Item
from sparsetol_suites.suite import SuiteTask

from pytest_sparsetol.cells import Cell
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.engine.prompt import ChatPrompt, Places, prompt_hash

Progress = Callable[[str, int, int, float | None], None]
"""Called as work goes on: what is done, items done, items in all, and the mean loss so far where there is one."""


@dataclass(frozen=True)
class Prepared:
    """An item as the model gets it; `places` is None where the tokenizer does not tell where its parts stand."""

    item: Item
    task: SuiteTask
    ids: list[int]
    hash: str
    places: Places | None = None


def prepare(contract: Contract, prompt: ChatPrompt, cell: Cell, progress: Progress) -> list[Prepared]:
    """The cell's items: evenly many of each of the group's tasks, in an order shuffled by the contract's seed.

    Items that share a document follow each other, as a test in sequence takes such clusters whole.
    """
    items = contract.spec.gate.items
    tasks = contract.suite.of_group(cell.group)
    each = items.max // len(tasks)
    clusters: dict[str, list[Prepared]] = {}
    done = 0
    for task in tasks:
        for index in range(each):
            progress("making items", done, each * len(tasks), None)
            item = task.generate(cell.length, prompt, items.seed, index)
            ids = prompt.encode(item.prompt)
            entry = Prepared(item, task, ids, prompt_hash(ids), prompt.places(item))
            clusters.setdefault(item.cluster, []).append(entry)
            done += 1
    order = list(clusters.values())
    random.Random(f"{items.seed}/{cell.group}/{cell.length}").shuffle(order)
    return [entry for cluster in order for entry in cluster]
