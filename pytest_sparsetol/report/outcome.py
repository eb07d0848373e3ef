"""What a verdict means to pytest: passed, skipped where the contract only wants a warning, or failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_sparsetol.cells import MIX, Cell, policy_of
from pytest_sparsetol.mixing import Terms
from pytest_sparsetol.result import CellResult, MixResult, headline
from pytest_sparsetol.verdict import without_pass


@dataclass(frozen=True)
class Outcome:
    """A result as a test.

    Attributes:
        kind: what pytest calls it.
        text: one line or two: the verdict and its reason.

    """

    result: CellResult | MixResult
    kind: Literal["passed", "skipped", "failed"]
    text: str


def outcome(result: CellResult | MixResult, terms: Terms, idle: Collection[str]) -> Outcome:
    """Judge one result.

    Args:
        result: of a cell or a mix.
        terms: of its contract.
        idle: deployments of which nothing passed: their mixes are red, even where only a warning is wanted.

    """
    group = result.group if isinstance(result, CellResult) else MIX
    policy = policy_of(result.node_id)
    first = headline(result.verdict, Cell(result.deployment, group, result.length).name, policy, result.reason)
    if result.verdict == "PASS":
        return Outcome(result, "passed", first)
    if not terms.warns_of(result.verdict):
        return Outcome(result, "failed", first)
    if isinstance(result, MixResult) and result.node_id.rsplit("::", 1)[0] in idle:
        evidence = f"No cell of {policy} passed: a deployment needs evidence to be green."
        return Outcome(result, "failed", f"{first}\n{evidence}")
    return Outcome(result, "skipped", first)


def outcomes(results: Sequence[CellResult | MixResult], contracts: Mapping[str, Terms]) -> list[Outcome]:
    """Judge all results of a run, given the terms of its contracts by their path in node ids."""
    idle = without_pass(results)
    return [outcome(result, contracts[result.node_id.partition("::")[0]], idle) for result in results]
