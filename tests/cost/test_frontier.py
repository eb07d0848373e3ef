"""Cost against score: which points there are, which are on the front, and what is set against what."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from pytest_sparsetol.cost.frontier import Frontier, frontiers
from pytest_sparsetol.report.equal_compute import equal_compute
from pytest_sparsetol.result import CellCost, CellResult, Evidence, MixResult, Verdict

METHODS = {"prefill": "vertical_slash", "kv": None, "decode": None}
ITEMS = 10


def cell(
    model: str,
    dense: float,
    sparse: float,
    right: int,
    lost: Sequence[float],
    *,
    group: str = "one",
    verdict: Verdict = "PASS",
) -> tuple[CellResult, Evidence]:
    """A prefill deployment: its costs, how many of ten dense answers are right, and losses of the items that ran."""
    none = dict.fromkeys(METHODS)
    result = CellResult(
        contract="c.yaml", model=model, deployment="vs", group=group, length=1024, verdict=verdict, reason="",
        threshold=0.1, declared_sparsity=none, measured_sparsity=none, loaded_sparsity=none, methods=METHODS,
        node_id=f"c.yaml::{model}/vs::{group}[1k]", degradation=sum(lost) / len(lost) if lost else None,
        cost=CellCost(
            batch=1, dense_prefill_flops=dense, dense_decode_bytes=1.0, prefill_flops=sparse, decode_bytes=1.0
        ),
    )  # fmt: skip
    scores = [1.0] * right + [0.0] * (ITEMS - right)
    return result, Evidence(list(lost), [], [], dense=scores, asked=f"{group} of all")


def found(*cells: tuple[CellResult, Evidence], shares: dict[str, float] | None = None) -> list[Frontier]:
    mixes = [] if shares is None else [
        MixResult(
            contract="c.yaml", model="large", deployment="vs", length=1024, verdict="PASS", reason="", threshold=0.1,
            groups=shares, node_id="c.yaml::large/vs::mix[1k]",
        )
    ]  # fmt: skip
    evidence = {result.node_id: outcomes for result, outcomes in cells}
    return frontiers([result for result, _ in cells], mixes, evidence, {"c.yaml": 0.95})


NOTHING = [0.0] * ITEMS
LARGE = cell("large", dense=100, sparse=41, right=9, lost=[1.0, *NOTHING[1:]])
MIDDLE = cell("middle", dense=60, sparse=30, right=8, lost=NOTHING)
SMALL = cell("small", dense=40, sparse=20, right=6, lost=[1.0, 1.0, *NOTHING[2:]])


def test_the_front() -> None:
    (frontier,) = found(LARGE, MIDDLE, SMALL)

    assert (frontier.axis, frontier.unit) == ("prefill", "FLOPs a prompt")
    assert [(one.model, one.deployment, one.cost, round(one.score, 9), one.best) for one in frontier.points] == [
        ("large", None, 100, 0.9, True),
        ("middle", None, 60, 0.8, False),
        ("large", "vs", 41, 0.8, False),
        ("small", None, 40, 0.6, False),
        ("middle", "vs", 30, 0.8, True),
        ("small", "vs", 20, 0.4, True),
    ]


def test_what_costs_as_much_and_scores_less_is_not_on_the_front() -> None:
    (frontier,) = found(cell("large", 100, 100, 9, [1.0, *NOTHING[1:]]), SMALL)

    assert {(one.model, one.deployment): one.best for one in frontier.points} == {
        ("large", None): True, ("large", "vs"): False, ("small", None): True, ("small", "vs"): True,
    }  # fmt: skip


def test_a_sparse_model_meets_the_cheapest_smaller_one_that_costs_as_much() -> None:
    (frontier,) = found(LARGE, MIDDLE, SMALL)
    large, middle = frontier.comparisons

    assert (large.larger, large.smaller, large.ratio) == ("large", "middle", 41 / 60)
    assert (middle.larger, middle.smaller, middle.ratio) == ("middle", "small", 0.75)
    assert middle.difference == pytest.approx(0.2)
    (dearest,) = found(LARGE, SMALL)
    assert (dearest.comparisons[0].smaller, dearest.comparisons[0].ratio) == ("small", 41 / 40)


def test_one_model_has_no_frontier_and_neither_do_dense_points() -> None:
    assert found(LARGE) == []
    as_is = [(dataclasses.replace(result, methods=dict.fromkeys(METHODS)), rest) for result, rest in (LARGE, SMALL)]
    assert found(*as_is) == []


@pytest.mark.parametrize("verdict", ["NOT_EXERCISED", "ERROR"])
def test_what_did_not_act_gives_no_sparse_point(verdict: Verdict) -> None:
    lost = [] if verdict == "ERROR" else NOTHING
    (frontier,) = found(cell("large", 100, 40, 9, lost, verdict=verdict), SMALL)

    assert [(one.model, one.deployment) for one in frontier.points] == [
        ("large", None), ("small", None), ("small", "vs"),
    ]  # fmt: skip


def test_a_mix_weighs_cost_and_score_and_needs_all_groups() -> None:
    other = cell("large", 100, 61, 5, NOTHING, group="two")
    smaller = cell("small", 40, 30, 5, NOTHING, group="two")
    shares = {"one": 0.75, "two": 0.25}
    mix = found(LARGE, SMALL, other, smaller, shares=shares)[-1]

    points = {(one.model, one.deployment): one for one in mix.points}
    assert mix.group == "mix"
    assert points["large", "vs"].cost == pytest.approx(0.75 * 41 + 0.25 * 61)
    assert points["large", "vs"].score == pytest.approx(0.75 * 0.8 + 0.25 * 0.5)
    assert {one.group for one in found(LARGE, SMALL, other, shares=shares)} == {"one"}


def test_what_people_read() -> None:
    stopped = cell("large", 100, 80, 9, [1.0, 1.0], verdict="FAIL")
    text = equal_compute(found(LARGE, SMALL), width=120, colour=False)
    early = equal_compute(found(stopped, SMALL), width=120, colour=False)

    assert (
        "one[1k] prefill: large/vs at equal cost to small dense (ratio 1.02): 80.0 against 60.0, difference +20.0"
        in text
    )
    assert "n=10, same items)" in text
    assert "decoding batch: large 1, small 1" in text
    assert "large/vs at 2.00 times the cost of small dense" in early
    assert "difference -60.0 (no interval, as a cell stopped early; n=2, same items)" in early
    assert "2 of 10" in early


def test_other_items_are_said_to_be_unpaired() -> None:
    result, evidence = SMALL
    text = equal_compute(found(LARGE, (result, dataclasses.replace(evidence, asked="others"))), width=120, colour=False)

    assert "unpaired: other items, as the tokenizers differ" in text
