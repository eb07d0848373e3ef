"""The summary table at the end of a session."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from pytest_sparsetol.cells import MIX, Cell, policy_of
from pytest_sparsetol.report.console import text_console
from pytest_sparsetol.result import CellResult, MixResult, Verdict, points

_COLOURS: dict[Verdict, str] = {"PASS": "green", "FAIL": "bold red", "ERROR": "bold red"}


def summary(results: Iterable[CellResult | MixResult], *, width: int, colour: bool) -> str:
    """A table of cells and mixes, in the order given."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("deployment")
    table.add_column("cell", no_wrap=True)
    for column in ("dense", "sparse", "lost", "limit", "allowed", "n", "sparsity", "s"):
        table.add_column(column, justify="right", no_wrap=True)
    for result in results:
        table.add_row(*_row(result))
    console = text_console(width=width, colour=colour)
    with console.capture() as drawn:
        console.print(table)
        console.print("Scores and losses in points; limit: one-sided upper limit of the loss; sparsity as measured.")
    return drawn.get()


def _row(result: CellResult | MixResult) -> list[Text]:
    verdict = Text(result.verdict, style=_COLOURS.get(result.verdict, "yellow"))
    loss = [_points(value) for value in (result.degradation, result.upper, result.threshold)]
    if isinstance(result, MixResult):
        name = Cell(result.deployment, MIX, result.length).name
        texts = [policy_of(result.node_id), name, "", "", *loss, "", "", ""]
    else:
        name = Cell(result.deployment, result.group, result.length).name
        measured = [f"{value:.2f}" for value in result.measured_sparsity.values() if value is not None]
        texts = [
            policy_of(result.node_id),
            name,
            _points(result.dense_score),
            _points(result.sparse_score),
            *loss,
            str(result.items),
            "/".join(measured) or "-",
            f"{result.seconds:.0f}",
        ]
    return [verdict, *(Text(text) for text in texts)]


def _points(value: float | None) -> str:
    return "-" if value is None else points(value)
