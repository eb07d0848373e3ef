"""A certificate as people read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text
from sparsetol_suites.lengths import show_length

from pytest_sparsetol.cells import MIX
from pytest_sparsetol.result import points

if TYPE_CHECKING:
    from pytest_sparsetol.sweep.certificate import Certificate, Claim, LevelEvidence


def claims_table(certificate: Certificate) -> Table:
    """One line a policy and length: the largest safe sparsity of each group and of the mix."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("policy", no_wrap=True)
    table.add_column("length", justify="right", no_wrap=True)
    groups = [*certificate.mix, MIX]
    for group in groups:
        table.add_column(group, justify="right", no_wrap=True)
    for policy, length in dict.fromkeys((claim.policy, claim.length) for claim in certificate.claims):
        found = {c.group: c for c in certificate.claims if (c.policy, c.length) == (policy, length)}
        table.add_row(Text(policy), show_length(length), *(_safe(found.get(group)) for group in groups))
    return table


def _safe(claim: Claim | None) -> Text:
    if claim is None:
        return Text("-")
    if claim.safe is None:
        return Text("untestable" if claim.untestable else "none", style="yellow")
    return Text(f"{claim.safe:g}", style="green")


def effort_line(certificate: Certificate) -> str:
    """`412 items in 31 of 48 cells, 210 s; every level of every group would be 9600 items`."""
    effort = certificate.effort
    grid = "" if effort.grid_seconds is None else f", about {effort.grid_seconds:.0f} s"
    return (
        f"{effort.items} items in {effort.cells} cells took {effort.seconds:.0f} s of answering; "
        f"the full grid is {effort.grid_items} items in {effort.grid_cells} cells{grid}"
    )


def facts(certificate: Certificate) -> Iterator[tuple[str, str]]:
    """What the claims rest on and hold for, line by line."""
    identity, circumstances = certificate.identity, certificate.circumstances
    together = [level.backend for claim in certificate.claims for level in claim.levels if level.backend]
    backends = sorted({backend for names in together for backend in names.split(", ")})
    yield "model", f"{certificate.model}, weights {_short(identity['model'])}, {identity['dtype']}"
    yield "prompt", f"tokenizer and template {_short(identity['prompt'])}"
    yield "suite", f"{certificate.suite}, version {certificate.suite_version}: {', '.join(identity['tasks'])}"
    yield "mix", ", ".join(f"{group} {100 * share:g} %" for group, share in certificate.mix.items())
    yield "kernels", f"{', '.join(backends)}; code {_short(identity['kernels'])}"
    versions = ", ".join(f"{name} {value}" for name, value in circumstances.items() if name != "device")
    yield "ran on", f"{circumstances.get('device')}; batches of {certificate.batch_size}; {versions}"
    yield "items", f"seed {certificate.seed}; {effort_line(certificate)}"
    yield "claims", f"{certificate.sequences} together at confidence {certificate.confidence:g}: {certificate.rule}"
    yield "made", f"{certificate.made} from {certificate.contract}"
    yield "void with", ", ".join(certificate.voided_by.values())


def frontier_table(certificate: Certificate) -> Table:
    """Every level that was tested: loss, limit, speed and memory beside dense."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("policy", "length", "group", "sparsity", "shown"):
        table.add_column(column, no_wrap=True)
    for column in ("dense", "sparse", "lost", "limit", "allowed", "worse/better", "n", "p", "s/item", "MiB"):
        table.add_column(column, justify="right", no_wrap=True)
    for claim in certificate.claims:
        begin = [claim.policy, show_length(claim.length), claim.group]
        if claim.dense_seconds is not None:
            dense = [*begin, "dense", "", *[""] * 8, f"{claim.dense_seconds:.3g}", _mebibytes(claim.dense_memory)]
            table.add_row(*map(Text, dense))
        for level in claim.levels:
            table.add_row(*map(Text, [*begin, *_level(claim, level)]))
    return table


def _level(claim: Claim, level: LevelEvidence) -> list[str]:
    shown = claim.safe is not None and level.sparsity <= claim.safe
    return [
        f"{level.sparsity:g}",
        "safe" if shown else level.verdict,
        *(_points(value) for value in (level.dense_score, level.sparse_score, level.degradation, level.upper)),
        points(claim.threshold),
        "" if claim.group == MIX else f"{level.losses}/{level.gains}",
        str(level.items),
        f"{level.p_value:.2g}",
        "" if level.seconds_per_item is None else f"{level.seconds_per_item:.3g}",
        _mebibytes(level.peak_memory),
    ]


def ends(certificate: Certificate) -> Iterator[str]:
    """Why each claim ends where it does."""
    for claim in certificate.claims:
        yield f"{claim.policy}[{show_length(claim.length)}] {claim.group}: {claim.ended}"


def _points(value: float | None) -> str:
    return "-" if value is None else points(value)


def _mebibytes(value: int | None) -> str:
    return "" if value is None else f"{value / 2**20:.0f}"


def _short(digest: str) -> str:
    return digest[:12]
