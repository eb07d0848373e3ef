"""The table of `sparsetol plan`."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from pytest_sparsetol.planning.assumptions import Cost, Variation
from pytest_sparsetol.planning.release import ReleasePlan, Row
from pytest_sparsetol.result import points
from pytest_sparsetol.statistics.power import MOST_DRAWS


def plan_table(plan: ReleasePlan) -> Table:
    """A row a cell: allowed loss, items and power now, items that the release needs, and minutes."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("deployment")
    table.add_column("cell", no_wrap=True)
    for column in ("allowed", "items now", "passes", "items", "passes", "minutes"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in plan.rows:
        table.add_row(*map(Text, _row(row, reached=plan.most is not None)))
    return table


def _row(row: Row, *, reached: bool) -> list[str]:
    needs = [str(row.items), _percent(row.power), _minutes(row.seconds)] if reached else ["-", "-", "-"]
    if row.stuck is not None:
        needs = ["-", "-", "-"]
    name = [row.cell.policy, row.cell.name, points(row.threshold), str(row.now)]
    passes = "-" if row.stuck is not None else _percent(row.power_now)
    if row.cell.is_mix:
        needs[2] = ""
    return [*name, passes, *needs]


def _percent(share: float) -> str:
    """Never 100 %: that is a promise."""
    return f"{min(100 * share, 99.9):.1f} %"


def _minutes(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds / 60:.1f}"


def sentences(plan: ReleasePlan) -> Iterator[str]:
    """What the table comes to, and what it rests on."""
    counted = [row for row in plan.rows if row.stuck is None]
    mixes = sum(row.cell.is_mix for row in counted)
    whole = f"{_count(len(counted) - mixes, 'cell')} and {_count(mixes, 'mix')}"
    for row in plan.rows:
        if row.stuck is not None:
            yield f"{row.cell.policy}::{row.cell.name} cannot pass with any number of items: {row.stuck}."
    if not counted:
        return
    yield f"Now a safe release of {whole} is green in about {100 * plan.now:.3g} % of runs, were its cells independent."
    if plan.most is None:
        yield f"Even gate.items.max: {MOST_DRAWS} would not make it green in {100 * plan.wanted:g} %: allow more loss."
        return
    yield (
        f"With gate.items.max: {plan.most} it is green in at least {100 * plan.wanted:g} % of runs, "
        f"however cells depend on each other{_total(counted)}."
    )
    if plan.short:
        yield f"Too few items exist for that: {', '.join(plan.short)}."
    yield "Assumed: a safe policy loses nothing on average, and"
    yield from dict.fromkeys(
        f"  {_where(row, row.variation)}: {row.variation.basis}" for row in counted if row.variation is not None
    )
    yield from dict.fromkeys(
        f"  {_where(row, row.cost)}: time of an item: {row.cost.basis}" for row in counted if row.cost is not None
    )


def _total(rows: list[Row]) -> str:
    seconds = [row.seconds for row in rows]
    known = [second for second in seconds if second is not None]
    if len(known) < len(seconds):
        return ""
    return f", and takes about {_minutes(sum(known))} minutes"


def _where(row: Row, assumed: Variation | Cost) -> str:
    return f"{row.cell.policy}::{row.cell.name}" if assumed.seen else row.cell.name


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}{'es' if name.endswith('x') else 's'}"
