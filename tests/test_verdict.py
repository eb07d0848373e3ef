"""Reasons that a user reads where a declared sparsity did not act."""

from __future__ import annotations

import dataclasses

from pytest_sparsetol import verdict
from pytest_sparsetol.result import CellResult
from pytest_sparsetol.verdict import not_exercised


def result(*, layers: int, local: int) -> CellResult:
    return CellResult(
        contract="sparsetol.yaml", model="m", deployment="d", group="g", length=1024, verdict="PASS", reason="",
        threshold=0.05, declared_sparsity={"prefill": 0.5}, measured_sparsity={"prefill": None},
        loaded_sparsity={"prefill": None}, layers=layers, local_layers=local, node_id="n",
    )  # fmt: skip


def test_a_model_whose_every_layer_is_local_has_that_for_a_reason() -> None:
    assert not_exercised(result(layers=2, local=2), []) == (
        "prefill declares sparsity 0.5 and nothing ran sparse: all 2 layers attend within a window shorter than the "
        "prompts"
    )
    assert not_exercised(result(layers=2, local=1), []) == "prefill declares sparsity 0.5 and nothing ran sparse"


def test_quest_on_few_tokens_and_steps_says_what_to_do() -> None:
    short = dataclasses.replace(
        result(layers=2, local=0),
        declared_sparsity={"decode": 0.9},
        measured_sparsity={"decode": 0.88},
        methods={"decode": "quest page_size=16"},
        decode_from="answer",
    )
    asked = dataclasses.replace(short, decode_from="question")
    other = dataclasses.replace(short, methods={"decode": "mine"})

    assert not_exercised(short, [8]) == (
        "decode declares sparsity 0.9 and 0.880 was measured; whole pages are read, which averages out over more "
        "steps: use tasks with longer answers, or `decode: {from: question}`"
    )
    assert str(not_exercised(asked, [8])).endswith("use tasks with longer questions or answers")
    assert not_exercised(other, [8]) == "decode declares sparsity 0.9 and 0.880 was measured"


def test_room_for_exactly_twice_the_allowed_loss_is_enough() -> None:
    # Differences of decimal fractions fall short by their last digits.
    for dense, chance, allowed in ((0.35, 0.25, 0.05), (0.3, 0.2, 0.05), (0.7, 0.5, 0.1)):
        assert verdict.testable(dense, chance, allowed, None) is None
        assert verdict.testable(dense - 0.001, chance, allowed, None) is not None
