"""What a sweep shows at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from sparsetol_suites.lengths import show_length

from pytest_sparsetol.report.certificate import claims_table, effort_line
from pytest_sparsetol.report.console import text_console

if TYPE_CHECKING:
    from pytest_sparsetol.sweep.finish import Written

_SHOWN = 3


def unfinished(path: str, done: int, missing: Sequence[str], *, kept: bool) -> str:
    """Why there is no certificate yet, and what to do."""
    names = ", ".join(node_id.partition("::")[2] for node_id in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    after = "finished cells are kept" if kept else "nothing is kept, as pytest's cache is off"
    return (
        f"{path}: no certificate, {done} of {done + len(missing)} ladders were climbed (not {names}{more}).\n"
        f"Run the whole sweep again to go on: {after}.\n"
    )


def describe_written(path: str, written: Written, *, width: int, colour: bool) -> str:
    """The claims, the files, and what became of each policy."""
    certificate = written.certificate
    title = f"{path}: largest sparsity shown safe, all together at confidence {certificate.confidence:g}"
    folder = path.rpartition("/")[0]
    before = f"{folder}/" if folder else ""
    lines = [f"written: {before}{written.certificate_path.name}, {before}{written.frontier.name}"]
    if written.contract is None:
        lines.append("no contract is written: no level can be proposed")
    else:
        lines[0] += f", {before}{written.contract.name}"
        for name, levels in written.proposal.levels.items():
            shown = ", ".join(f"{show_length(length)} {level:g}" for length, level in levels.items())
            lines.append(f"  {name}: {shown}")
        lines.append(f"a fresh gate of it is predicted to pass with power {written.proposal.power:.2f}")
    if written.cut:
        lines.append(f"time was up: {written.cut} ladders may show more; run the sweep again to go on")
    lines += [f"left out: {name}: {reason}" for name, reason in written.proposal.left_out.items()]
    console = text_console(width=width, colour=colour)
    with console.capture() as drawn:
        console.print(Text(title))
        console.print(claims_table(certificate))
        console.print(Text(effort_line(certificate)))
        for line in lines:
            console.print(Text(line), soft_wrap=True)
    return drawn.get()
