"""Bytes of a generated token against the sizes of the tensors that it reads."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import pytest
import torch
from transformers import DynamicCache

from pytest_sparsetol.cost.decode import decode_bytes
from pytest_sparsetol.cost.shape import shape_of
from pytest_sparsetol.engine.generate import with_cache
from tests.cost.shapes import QWEN, VOCABULARY, qwen, width
from tests.engine.models import random_model

LENGTH = 30


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "phi3", "olmo2"])
def test_as_many_bytes_as_the_tensors_have(family: str, dtype: torch.dtype) -> None:
    model = random_model(family, "eager", dtype)
    cache = DynamicCache()
    with torch.inference_mode():
        model(torch.full((1, LENGTH), 7), **with_cache(model, cache))
    layers = [module for layer in model.model.layers for module in layer.modules()]
    weights = sum(module.weight.nbytes for module in layers if isinstance(module, torch.nn.Linear))
    stored: list[Any] = cache.layers
    cached = sum(layer.keys.nbytes + layer.values.nbytes for layer in stored)

    found = decode_bytes(shape_of(model), LENGTH)

    assert (found.weights, found.cache) == (weights, cached)
    assert decode_bytes(shape_of(model), LENGTH, batch=8).total == weights / 8 + cached
    assert decode_bytes(shape_of(model), LENGTH, kept=0.25).cache == cached / 4


def test_a_batch_meets_more_experts() -> None:
    shape = shape_of(random_model("qwen3_moe", "eager"))

    assert decode_bytes(shape, 0).weights == 4 * (shape.matrices + shape.expert_matrices / 2)
    # Two of four experts each: another sequence adds half of those that are left.
    assert decode_bytes(shape, 0, batch=2).weights == 4 * (shape.matrices + shape.expert_matrices * 3 / 4) / 2


@pytest.mark.parametrize(
    ("length", "batch", "share", "speedup"),
    [(2**14, 1, 0.07, 1.06), (2**17, 1, 0.35, 1.41), (2**14, 64, 0.80, 2.84), (2**17, 64, 0.97, 4.46)],
)
def test_the_papers_shares_with_the_output_head(length: int, batch: int, share: float, speedup: float) -> None:
    """The Sparse Frontier, mean of Qwen2.5: at batch 1 a fifth of the cache saves little, at batch 64 most."""
    shares, faster = [], []
    for size in QWEN:
        found = decode_bytes(qwen(size), length, batch)
        total = found.total + 2 * width(size) * VOCABULARY / batch
        shares.append(found.cache / total)
        faster.append(total / (total - 0.8 * found.cache))

    assert fmean(shares) == pytest.approx(share, abs=0.005)
    assert fmean(faster) == pytest.approx(speedup, abs=0.01)
