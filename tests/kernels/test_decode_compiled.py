"""A compiled decoding step takes the operators whole, on any device."""

from __future__ import annotations

import torch
from sparsetol_kernels.page_bounds import update_page_bounds
from sparsetol_kernels.quest_select import quest_select
from sparsetol_kernels.sparse_decode import sparse_decode_attention
from torch import Tensor

PAGE = 16


def step(
    query: Tensor, key: Tensor, value: Tensor, low: Tensor, high: Tensor, starts: Tensor, lengths: Tensor
) -> Tensor:
    """Bounds of the new token's page, the best pages, attention over them."""
    update_page_bounds(low, high, key, starts, lengths, new=1, page_size=PAGE)
    budget = torch.full_like(lengths, 2)
    index, count = quest_select(query, key, low, high, budget, starts, lengths, page_size=PAGE, most=3)
    out, _ = sparse_decode_attention(
        query, key, value, index, count, page_size=PAGE, starts=starts, lengths=lengths
    )  # fmt: skip
    return out


def test_a_compiled_step_has_no_graph_breaks() -> None:
    generator = torch.Generator().manual_seed(1)
    query = torch.randn(2, 4, 32, generator=generator)
    key, value = torch.randn(2, 2, 2, 64, 32, generator=generator)
    starts, lengths = torch.tensor([0, 5], dtype=torch.int32), torch.tensor([60, 17], dtype=torch.int32)
    low, high = torch.zeros(2, 2, 2, 4, 32)
    update_page_bounds(low, high, key, starts, lengths, new=60, page_size=PAGE)
    inputs = (query, key, value, low, high, starts, lengths)

    # Traced through the operators' fake implementations, then run by PyTorch.
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")

    assert torch.equal(compiled(*inputs), step(*inputs))


def test_operators_hand_every_argument_to_their_kernels() -> None:
    # Torch leaves out what equals a default, and what computes on CUDA would miss it.
    for operator in (
        torch.ops.sparsetol.update_page_bounds,
        torch.ops.sparsetol.quest_select,
        torch.ops.sparsetol.sparse_decode_attention,
    ):
        assert not any(argument.has_default_value() for argument in operator.default._schema.arguments)
