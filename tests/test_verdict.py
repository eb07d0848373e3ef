"""Reasons that a user reads where a declared sparsity did not act."""

from __future__ import annotations

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
