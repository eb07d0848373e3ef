"""Models of one contract at equal cost, as people read it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pytest_sparsetol.cells import Cell, policy_name
from pytest_sparsetol.cost.frontier import Comparison, Frontier, Point
from pytest_sparsetol.report.console import text_console
from pytest_sparsetol.result import points

EQUAL = 0.1
"""Costs that differ by at most this share are called equal."""

DENSE = "dense"


def equal_compute(found: Sequence[Frontier], *, width: int, colour: bool) -> str:
    """A table of all points, then each larger sparse model against a smaller dense one."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("cell", "cost of", "model"):
        table.add_column(column, no_wrap=True)
    for column in ("cost", "score", "n", "front"):
        table.add_column(column, justify="right", no_wrap=True)
    for frontier in found:
        for point in frontier.points:
            table.add_row(*map(Text, _row(frontier, point)))
    console = text_console(width=width, colour=colour)
    with console.capture() as drawn:
        console.print(table)
        for frontier in found:
            for comparison in frontier.comparisons:
                console.print(Text(_sentence(frontier, comparison)), soft_wrap=True)
        for line in _legend(found):
            console.print(Text(line), soft_wrap=True)
    return drawn.get()


def _row(frontier: Frontier, point: Point) -> list[str]:
    return [
        _cell(frontier),
        frontier.axis,
        policy_name(point.model, point.deployment or DENSE),
        f"{point.cost:.3g}",
        points(point.score),
        str(point.items) if point.items == point.planned else f"{point.items} of {point.planned}",
        "*" if point.best else "",
    ]


def _cell(frontier: Frontier) -> str:
    return Cell("", frontier.group, frontier.length).name


def _sentence(frontier: Frontier, found: Comparison) -> str:
    """`mix[2k] prefill: larger/vs-3x at equal cost to smaller dense (ratio 0.98): 93.1 against 88.0, +5.1 [...]`."""
    larger = policy_name(found.larger, found.deployment)
    if abs(found.ratio - 1) <= EQUAL:
        cost = f"at equal cost to {found.smaller} dense (ratio {found.ratio:.2f})"
    else:
        cost = f"at {found.ratio:.2f} times the cost of {found.smaller} dense"
    limits = (
        "no interval, as a cell stopped early"
        if found.lower is None or found.upper is None
        else f"{100 * found.confidence:g} % interval {_signed(found.lower)} to {_signed(found.upper)}"
    )
    how = "same items" if found.paired else "unpaired: other items, as the tokenizers differ"
    return (
        f"{_cell(frontier)} {frontier.axis}: {larger} {cost}: {points(found.larger_score)} against "
        f"{points(found.smaller_score)}, difference {_signed(found.difference)} ({limits}; n={found.items}, {how})"
    )


def _signed(fraction: float) -> str:
    return f"{100 * fraction:+z.1f}"


def _legend(found: Sequence[Frontier]) -> list[str]:
    units = {frontier.axis: frontier.unit for frontier in found}
    batches = {model: batch for frontier in found for model, batch in frontier.batch.items()}
    shown = ", ".join(f"{model} {batch}" for model, batch in batches.items())
    return [
        f"Cost of attention and MLP: {', '.join(f'{axis} in {unit}' for axis, unit in units.items())}; "
        f"decoding batch: {shown}. front *: nothing else scores as much for less.",
        "For information: no verdict rests on it. Each interval holds by itself.",
    ]
