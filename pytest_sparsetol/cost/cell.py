"""The cost of a cell, from what it measured."""

from __future__ import annotations

from pytest_sparsetol.cost.decode import decode_bytes
from pytest_sparsetol.cost.prefill import prefill_flops
from pytest_sparsetol.cost.shape import Shape
from pytest_sparsetol.result import CellCost, CellResult


def cell_cost(shape: Shape, result: CellResult, scored: float, batch: int) -> CellCost:
    """Cost at the cell's length, dense and as its policy loaded while it ran.

    A decode method's share is of what the kv method left. A policy from the question on is counted as if the whole
    prompt were prefill: the question is a few tokens of it.

    Args:
        shape: of the model.
        result: with the loaded sparsity of its phases; None counts as dense.
        scored: pairs of a query head whose products its methods' choices compute.
        batch: sequences that are decoded together.

    """
    length = result.length
    prefill, kv, decode = (1 - (result.loaded_sparsity[phase] or 0.0) for phase in ("prefill", "kv", "decode"))
    return CellCost(
        batch=batch,
        dense_prefill_flops=prefill_flops(shape, length).total,
        dense_decode_bytes=decode_bytes(shape, length, batch).total,
        prefill_flops=prefill_flops(shape, length, prefill, scored).total,
        decode_bytes=decode_bytes(shape, length, batch, kv * decode).total,
    )
