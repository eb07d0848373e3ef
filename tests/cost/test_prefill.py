"""Prefill FLOPs against what PyTorch counts while a model reads a prompt, and against the paper's shares."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pytest_sparsetol.cost.prefill import prefill_flops
from pytest_sparsetol.cost.shape import shape_of
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from tests.cost.shapes import QWEN, VOCABULARY, qwen, width
from tests.engine.models import CONFIGS, WINDOW, random_model

LENGTH = 40
EXPERTS = {"gpt_oss", "qwen3_moe"}


def counted(model: Any, length: int) -> float:
    """FLOPs of attention and MLP as PyTorch counts them; eager attention computes every pair, causal or not."""
    torch.manual_seed(1)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.randint(5, 256, (1, length)), logits_to_keep=1)
    head = 2 * model.get_output_embeddings().weight.numel()
    return float(counter.get_total_flops() - head)


@pytest.mark.parametrize("family", CONFIGS)
def test_as_counted_while_running(family: str) -> None:
    model = random_model(family, "eager")
    if family in EXPERTS:
        # The counter does not know the products of the others.
        model.set_experts_implementation("eager")
    flops = prefill_flops(shape_of(model), LENGTH)

    assert flops.matrices + flops.attention * 2 * LENGTH / (LENGTH + 1) == counted(model, LENGTH)


def test_a_window_limits_pairs_and_sparsity_leaves_such_layers_alone() -> None:
    shape = shape_of(random_model("gemma3", "eager"))
    assert shape.windows == (WINDOW, None)
    length = 200
    inside = sum(min(row + 1, WINDOW) for row in range(length))
    every = length * (length + 1) / 2
    pair = 2 * 4 * (16 + 16)

    assert prefill_flops(shape, length).attention == pair * (inside + every)
    assert prefill_flops(shape, length, kept=0.25).attention == pair * (inside + 0.25 * every)
    assert prefill_flops(shape, WINDOW, kept=0.5).attention == pair * WINDOW * (WINDOW + 1) / 2


def test_selection_scores_the_rows_of_a_window_in_each_layer() -> None:
    shape = shape_of(random_model("llama", "eager"))
    scored = VerticalSlash(0.5, window=32).scored_pairs(100)

    assert scored == sum(range(69, 101))
    assert VerticalSlash(0.5, window=256).scored_pairs(100) == 100 * 101 / 2
    assert prefill_flops(shape, 100, 0.5, scored).selection == 2 * 4 * 16 * scored * 2


@pytest.mark.parametrize(
    ("length", "equation", "stated", "speedup"),
    [(2**14, 0.29, 0.40, 1.31), (2**16, 0.62, 0.68, 2.0), (2**17, 0.76, 0.80, 2.56)],
)
def test_the_papers_shares_with_every_pair_and_the_output_head(
    length: int, equation: float, stated: float, speedup: float
) -> None:
    """The Sparse Frontier, mean of Qwen2.5: the shares that it states count projections, those of its Eq. 3 do not."""
    shares, with_projections, faster = [], [], []
    for size in QWEN:
        flops = prefill_flops(qwen(size), length)
        attention = flops.attention * 2 * length / (length + 1)
        total = flops.matrices + attention + 2 * length * width(size) * VOCABULARY
        shape = qwen(size)
        per_layer = 2 * width(size) ** 2 + 2 * width(size) * 128 * shape.key_heads
        projections = 2 * length * per_layer * len(shape.windows)
        shares.append(attention / total)
        with_projections.append((attention + projections) / total)
        faster.append(total / (total - 0.8 * attention))

    assert fmean(shares) == pytest.approx(equation, abs=0.005)
    assert fmean(with_projections) == pytest.approx(stated, abs=0.005)
    assert fmean(faster) == pytest.approx(speedup, abs=0.03)
