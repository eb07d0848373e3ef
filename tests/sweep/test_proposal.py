"""Which policies and levels the written contract has, from the power that is predicted for each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_sparsetol.sweep import proposal as module
from pytest_sparsetol.sweep.proposal import choose, propose

SURE = {0.5: 1.0, 0.8: 1.0}


def test_every_level_is_the_highest_that_the_power_of_the_whole_allows() -> None:
    powers = {"quest": {1024: {0.5: 0.99, 0.8: 0.98, 0.9: 0.85}, 2048: {0.5: 0.99, 0.8: 0.95}}}

    proposal = choose(powers)

    assert proposal.levels == {"quest": {1024: 0.8, 2048: 0.8}}
    assert proposal.power == pytest.approx(0.98 * 0.95)


def test_the_level_that_costs_least_power_is_raised_first() -> None:
    powers = {"quest": {1024: {0.5: 1.0, 0.8: 0.92}}, "snapkv": {1024: {0.5: 1.0, 0.8: 0.95}}}

    assert choose(powers).levels == {"quest": {1024: 0.5}, "snapkv": {1024: 0.8}}, "both would be 0.87"


def test_what_one_policy_spares_another_may_use() -> None:
    powers = {"quest": {1024: {0.5: 0.91}}, "snapkv": {1024: SURE}}

    assert choose(powers).levels == {"quest": {1024: 0.5}, "snapkv": {1024: 0.8}}, "an even share of 0.9 is 0.95 each"


def test_a_length_without_a_safe_level_costs_the_others_nothing() -> None:
    powers = {"quest": {1024: {0.5: 0.91}}, "sliding_window": {1024: SURE, 2048: {}}}

    proposal = choose(powers)

    assert proposal.levels == {"quest": {1024: 0.5}}
    assert proposal.left_out == {"sliding_window": "no level is shown safe for all groups and the mix at 2k"}


def test_the_weakest_goes_where_all_together_are_not_green_often_enough() -> None:
    powers = {"quest": {1024: {0.5: 0.96}}, "snapkv": {1024: {0.5: 0.92}}, "block_sparse": {1024: {0.5: 0.95}}}

    proposal = choose(powers)

    assert proposal.levels == {"quest": {1024: 0.5}, "block_sparse": {1024: 0.5}}
    assert proposal.left_out == {
        "snapkv": "with it a fresh gate of all that is left would pass with power 0.839 at most, below 0.9"
    }


def test_nothing_is_proposed_where_no_policy_is_green_often_enough() -> None:
    proposal = choose({"quest": {1024: {0.5: 0.89}}})

    assert proposal.levels == {}
    assert proposal.left_out["quest"].endswith("with power 0.890 at most, below 0.9")


def test_a_policy_that_lacks_a_length_is_named_and_its_other_levels_are_not_predicted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = {
        ("quest", 1024): [0.5], ("quest", 2048): [0.5, 0.8],
        ("sliding_window", 1024): [0.5], ("sliding_window", 2048): [],
    }  # fmt: skip
    predicted = []

    def predict(_: Any, result: str, level: float) -> float:
        predicted.append((result, level))
        return 0.99

    monkeypatch.setattr(module, "_shown", lambda _, ladder, *__: shown[ladder.policy.name, ladder.length])
    monkeypatch.setattr(module, "_predicted", predict)
    climbed: Any = [
        (SimpleNamespace(policy=SimpleNamespace(name=name, whole=True), length=length), f"{name} at {length}")
        for name, length in shown
    ]

    proposal = propose(None, climbed, {})  # type: ignore[arg-type]  # what reads the contract is replaced

    assert proposal.levels == {"quest": {1024: 0.5, 2048: 0.8}}
    assert proposal.left_out == {"sliding_window": "no level is shown safe for all groups and the mix at 2k"}
    assert predicted == [("quest at 1024", 0.5), ("quest at 2048", 0.5), ("quest at 2048", 0.8)]
