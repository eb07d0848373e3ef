"""The evaluation's table: every method acts in its own phase, and processes agree on what is dense."""

from __future__ import annotations

from typing import Any

import pytest

from baselines.reference.evaluate import policy_of
from benchmarks.curves import merged
from benchmarks.recall import by_group
from pytest_sparsetol.methods.registry import METHODS


@pytest.mark.parametrize("name", METHODS)
def test_a_method_acts_in_its_phase(name: str) -> None:
    policy = policy_of(name, 0.5, 1024, from_question=True)

    assert policy is not None
    acting = {phase: getattr(policy, phase) for phase in ("prefill", "kv", "decode")}
    assert [phase for phase, method in acting.items() if method is not None] == [METHODS[name].phase]
    assert acting[METHODS[name].phase].sparsity == 0.5
    assert policy.from_question == (METHODS[name].phase != "prefill")


def test_a_sparsity_out_of_reach_has_no_policy() -> None:
    assert policy_of("snapkv", 0.999, 1024) is None


def row(group: str, method: str, sparsity: float, **found: Any) -> dict[str, Any]:
    return {"group": group, "length": 1024, "method": method, "sparsity": sparsity, "items": 1, "recall": None, **found}


def test_tables_of_several_processes_have_dense_once_and_keep_groups_together() -> None:
    tables = [
        [row("b", "dense", 0.0), row("b", name, 0.5), row("a", "dense", 0.0), row("a", name, 0.5)]
        for name in ("quest", "snapkv")
    ]

    assert [(entry["group"], entry["method"]) for entry in merged(tables)] == [
        ("b", "dense"), ("b", "quest"), ("b", "snapkv"), ("a", "dense"), ("a", "quest"), ("a", "snapkv")
    ]  # fmt: skip


def test_of_two_runs_of_a_policy_the_larger_counts() -> None:
    tables = [[row("a", "quest", 0.5, items=items)] for items in (8, 30, 15)]

    assert [entry["items"] for entry in merged(tables)] == [30]


def test_recall_and_loss_that_go_apart_rank_at_minus_one() -> None:
    table = [
        row("a", "quest", level, recall=1 - level, best=1.0, loss=level, each=((level, 0.1), (0.0, 0.9)))
        for level in (0.5, 0.8, 0.9)
    ]

    # The items under the median of each row lost 0.5, 0.8 and 0.9, the others nothing.
    assert by_group(table).splitlines()[-1] == "| a | decode | 3 | -1.00 | - | 73.3 (n=3) | 0.0 (n=3) |"
