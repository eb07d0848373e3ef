"""SnapKV's attention paid, in Triton, against the definition in float64."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from sparsetol_kernels.snapkv import attention_paid_by_definition, snapkv_scores
from torch import Tensor

from tests.kernels.poison import poisoned


def by_definition(query: Tensor, key: Tensor, scale: float, rows: int, over: str) -> Tensor:
    """Query by query in float64."""
    heads, length, _ = query.shape
    group = heads // key.shape[0]
    paid = torch.zeros(key.shape[0], length, dtype=torch.float64)
    for head in range(heads):
        for position in range(length - rows, length):
            scores = key[head // group, : position + 1].double() @ query[head, position].double() * scale
            weights = scores.softmax(dim=0)
            of_key = paid[head // group, : position + 1]
            of_key.copy_(of_key + weights / group if over == "mean" else of_key.maximum(weights))
    return paid


def tensors(heads: int, key_heads: int, length: int, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(length)
    query = torch.randn(heads, length, size, generator=generator).to(dtype)
    return query, torch.randn(key_heads, length, size, generator=generator).to(dtype)


@pytest.mark.parametrize("over", ["mean", "max"])
@pytest.mark.parametrize(("length", "rows"), [(1, 1), (50, 50), (203, 37)])
def test_the_definition(length: int, rows: int, over: Literal["mean", "max"]) -> None:
    query, key = tensors(6, 2, length, 24, torch.float32)

    found = attention_paid_by_definition(query, key, 0.3, rows, over)

    torch.testing.assert_close(found.double(), by_definition(query, key, 0.3, rows, over), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("over", ["mean", "max"])
@pytest.mark.parametrize(
    ("length", "rows", "heads", "size", "dtype"),
    [
        (1, 1, 2, 16, torch.float32),
        (203, 37, 6, 24, torch.float32),
        (70, 70, 2, 32, torch.float16),
        (300, 65, 4, 96, torch.float16),
        (300, 65, 4, 96, torch.bfloat16),
    ],
)
def test_triton_is_the_definition(
    length: int, rows: int, heads: int, size: int, dtype: torch.dtype, over: Literal["mean", "max"],
    kernel_device: torch.device, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from sparsetol_kernels.on_triton import snapkv as on_triton

    if dtype == torch.bfloat16 and kernel_device.type == "cpu":
        pytest.skip("the interpreter multiplies bfloat16 as if its bits were integers")
    monkeypatch.setattr(on_triton, "KEYS_OF_A_PIECE", 128)
    query, key = tensors(heads, 2, length, size, dtype)
    # Strided, as a slice of a batch is.
    wide = torch.stack([query, query], dim=1).to(kernel_device)[:, 1]

    with poisoned():
        found = on_triton.launch(wide, key.to(kernel_device), size**-0.5, rows, over)

    torch.testing.assert_close(
        found.double().cpu(), by_definition(query, key, size**-0.5, rows, over), atol=1e-6, rtol=1e-4
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("over", ["mean", "max"])
def test_131072_tokens_on_the_gpu(over: Literal["mean", "max"]) -> None:
    generator = torch.Generator("cuda").manual_seed(1)
    query = torch.randn(8, 131072, 128, device="cuda", dtype=torch.bfloat16, generator=generator)
    key = torch.randn(2, 131072, 128, device="cuda", dtype=torch.bfloat16, generator=generator)

    found = snapkv_scores(query, key, 128**-0.5, 256, 21, over)

    paid = attention_paid_by_definition(query.double(), key.double(), 128**-0.5, 256, over).double()
    expected = torch.nn.functional.avg_pool1d(paid[:, None], 21, stride=1, padding=10)[:, 0]
    assert (found - expected).norm() / expected.norm() < 1e-3
