"""Sums over columns and diagonals: by definition against a loop, in Triton against the definition."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.vertical_slash import scores_by_definition
from torch import Tensor

SHAPES = {
    "one token": (2, 1, 1, 16, 64),
    "window as long as the prompt": (2, 1, 70, 16, 70),
    "odd length": (2, 1, 150, 24, 100),
    "four query heads a key head": (8, 2, 203, 16, 70),
}


def tensors(heads: int, groups: int, length: int, size: int) -> tuple[Tensor, Tensor]:
    """Strided as the engine's, with NaN before and after."""
    generator = torch.Generator().manual_seed(7)
    made = []
    for count in (heads, groups):
        whole = torch.full((length + 2, count, size), float("nan"))
        whole[1:-1] = torch.randn(length, count, size, generator=generator)
        made.append(whole[1:-1].transpose(0, 1))
    return made[0], made[1]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_by_definition(shape: tuple[int, int, int, int, int]) -> None:
    heads, groups, length, size, window = shape
    query, key = tensors(heads, groups, length, size)

    by_key, by_offset = scores_by_definition(query, key, 0.3, window)

    for head in range(heads):
        columns, offsets = [0.0] * length, [0.0] * length
        for row in range(max(0, length - window), length):
            weights = (key[head * groups // heads, : row + 1].double() @ query[head, row].double() * 0.3).softmax(dim=0)
            for place, weight in enumerate(weights.tolist()):
                columns[place] += weight
                offsets[row - place] += weight
        torch.testing.assert_close(by_key[head].tolist(), columns, atol=1e-5, rtol=0)
        torch.testing.assert_close(by_offset[head].tolist(), offsets, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("loads")
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_triton(shape: tuple[int, int, int, int, int], dtype: torch.dtype, kernel_device: torch.device) -> None:
    from sparsetol_kernels.on_triton.line_scores import line_scores

    query, key = (tensor.to(dtype) for tensor in tensors(*shape[:4]))
    expected = scores_by_definition(query, key, 0.3, shape[4])

    found = line_scores(query.to(kernel_device), key.to(kernel_device), 0.3, shape[4])

    torch.testing.assert_close([part.cpu() for part in found], list(expected), atol=1e-5, rtol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.usefixtures("loads")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_long_prompts_on_a_gpu(dtype: torch.dtype) -> None:
    from sparsetol_kernels.on_triton.line_scores import line_scores

    query, key = (tensor.to(dtype).cuda() for tensor in tensors(8, 2, 8191, 128))

    found = line_scores(query, key, 0.09, 256)

    for mine, expected in zip(found, scores_by_definition(query.double().float(), key.float(), 0.09, 256), strict=True):
        assert (mine - expected).norm() / expected.norm() < (1e-2 if dtype == torch.bfloat16 else 1e-4)
