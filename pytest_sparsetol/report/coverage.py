"""Tables of a suite's tasks and of the corners that they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text
from sparsetol_suites.coverage import Corner, coverage
from sparsetol_suites.lengths import show_length
from sparsetol_suites.suite import Suite, SuiteTask

_CORNER = "scope/dispersion"


def task_table(suite: Suite, mix: Mapping[str, float] | None) -> Table:
    """The tasks, those of the mix alone where there is one: labels, chance score, tokens of answers, items, lengths."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("task", "group", _CORNER):
        table.add_column(column, no_wrap=True)
    for column in ("chance", "answer", "at most", "items", "lengths"):
        table.add_column(column, justify="right", no_wrap=True)
    for task in suite.tasks:
        if mix is None or task.group in mix:
            table.add_row(*map(Text, _task(task)))
    return table


def _task(task: SuiteTask) -> list[str]:
    items = task.available()
    return [
        task.name,
        task.group,
        f"{task.scope}/{task.dispersion}",
        f"{task.chance:.2f}",
        str(task.task.usual_tokens),
        str(task.answer_tokens),
        "any" if items is None else str(items),
        f"{show_length(task.shortest)}-{show_length(task.longest)}",
    ]


def corner_table(suite: Suite, mix: Mapping[str, float] | None, lengths: Sequence[int]) -> Table:
    """The four corners of scope and dispersion: share of the mix, which lengths are reached, and by which tasks."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(_CORNER, no_wrap=True)
    if mix is not None:
        table.add_column("traffic", justify="right", no_wrap=True)
    table.add_column("lengths", no_wrap=True)
    table.add_column("tasks")
    for corner in coverage(suite, mix):
        share = [] if mix is None else [f"{100 * _share(corner, suite, mix):.3g} %"]
        names = ", ".join(task.name for task in corner.tasks)
        cells = [f"{corner.scope}/{corner.dispersion}", *share, _lengths(corner, lengths), names or "none"]
        table.add_row(*(Text(cell, style="yellow" if cell == "none" else "") for cell in cells))
    return table


def _lengths(corner: Corner, lengths: Sequence[int]) -> str:
    """Those of the contract that are reached or, without one, from the shortest to the longest."""
    if lengths or not corner.tasks:
        return ", ".join(show_length(length) for length in lengths if corner.reached(length)) or "none"
    shortest, longest = min(task.shortest for task in corner.tasks), max(task.longest for task in corner.tasks)
    return f"{show_length(shortest)}-{show_length(longest)}"


def _share(corner: Corner, suite: Suite, mix: Mapping[str, float]) -> float:
    """A group's share counts evenly for its tasks, as its cells do."""
    sizes = {group: len(suite.of_group(group)) for group in mix}
    return sum(mix[task.group] / sizes[task.group] for task in corner.tasks)
