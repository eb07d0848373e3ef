"""What the items of each cell can resolve, said when a contract is collected."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sparsetol_suites.lengths import show_length

from pytest_sparsetol.cells import MIX, Cell, planned_items
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.errors import BaselineError
from pytest_sparsetol.planning.assumptions import Variation, variation_from_baselines, variation_guessed
from pytest_sparsetol.result import points
from pytest_sparsetol.statistics.power import POWER, resolved, resolved_by_mix

RUNS = f"{10 * POWER:g} safe runs of 10"


@dataclass(frozen=True)
class Outlook:
    """What a group's items can show at a length, the same for every deployment.

    Attributes:
        group: the group, or `mix`.
        length: prompt tokens.
        items: planned items, of all groups for the mix.
        threshold: allowed loss.
        resolves: the smallest loss that the items can resolve: the threshold at which a policy that loses nothing
            would pass in nine runs of ten.
        basis: what is assumed about how scores vary.

    """

    group: str
    length: int
    items: int
    threshold: float
    resolves: float
    basis: str

    @property
    def name(self) -> str:
        """`multi_hop[2k]`."""
        return Cell("", self.group, self.length).name

    @property
    def falls_short(self) -> bool:
        """Whether a safe policy will pass less often than in nine runs of ten."""
        return self.resolves > self.threshold


@functools.lru_cache(maxsize=8)
def outlooks(contract: Contract) -> Mapping[tuple[str, int], Outlook]:
    """By group and length, the mix's among them; worked out once a contract."""
    return {(outlook.group, outlook.length): outlook for outlook in _outlooks(contract)}


def _outlooks(contract: Contract) -> Iterator[Outlook]:
    gate = contract.spec.gate
    for length in contract.spec.lengths:
        planned = 0
        parts: list[tuple[float, float, float]] = []
        for group, weight in contract.spec.mix.items():
            items = planned_items(contract, group)
            variation = _variation(contract, Cell("", group, length))
            draws = items / variation.size
            loss = resolved(draws, variation.variance, gate.confidence)
            yield Outlook(group, length, items, gate.threshold(group), loss, variation.basis)
            planned += items
            parts.append((weight, draws, variation.variance))
        loss = resolved_by_mix(parts, gate.confidence)
        yield Outlook(MIX, length, planned, gate.mix_threshold(), loss, "its groups vary as assumed of them")


def _variation(contract: Contract, cell: Cell) -> Variation:
    try:
        return variation_from_baselines(contract, cell)
    except BaselineError as error:
        # Cells that need it say so when they run: what is damaged can be recorded anew, and the others go on.
        return variation_guessed(str(error))


def statement(contract: Contract) -> str:
    """One line for all cells of a contract: the smallest loss that their items resolve."""
    found = outlooks(contract)
    parts = []
    for group in (*contract.spec.mix, MIX):
        losses = [points(found[group, length].resolves) for length in contract.spec.lengths]
        parts.append(f"{group} {'/'.join(dict.fromkeys(losses))} (n={found[group, contract.spec.lengths[0]].items})")
    lengths = "/".join(show_length(length) for length in contract.spec.lengths)
    return f"the items resolve a loss, in points at {lengths}, of {', '.join(parts)}: {RUNS} pass there"


def shortfall(contract: Contract) -> str | None:
    """The warning about cells that cannot resolve their threshold; None where all can."""
    short = [outlook for outlook in outlooks(contract).values() if outlook.falls_short]
    if not short:
        return None
    worst = max(
        (outlook for outlook in short if outlook.group != MIX),
        default=short[0],
        key=lambda outlook: outlook.resolves / outlook.threshold,
    )
    names = ", ".join(
        f"{outlook.name} {points(outlook.resolves)} (allowed {points(outlook.threshold)})" for outlook in short[:4]
    )
    more = f" and {len(short) - 4} more" if len(short) > 4 else ""
    return (
        f"{contract.path.name}: too few items: fewer than {RUNS} would pass. The smallest loss that they resolve, in "
        f"points: {names}{more}. Assumed of {worst.name}: {worst.basis}. `sparsetol plan` says how many items would do"
    )
