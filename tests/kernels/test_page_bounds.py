"""Page bounds, kept up over appends of any size, against the keys of each page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from sparsetol_kernels.errors import InputError
from sparsetol_kernels.page_bounds import update_page_bounds
from torch import Tensor

Update = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int, int], None]


def triton(low: Tensor, high: Tensor, key: Tensor, starts: Tensor, lengths: Tensor, new: int, page: int) -> None:
    from sparsetol_kernels.on_triton.page_bounds import launch

    launch(key, low, high, starts, lengths, new, page)


PAGES = pytest.mark.parametrize(("page", "size"), [(16, 32), (7, 24)])
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
APPENDS = pytest.mark.parametrize("appends", [[100], [1, 14, 1, 33, 2]], ids=["at once", "piece by piece"])


@PAGES
@DTYPES
@APPENDS
def test_the_operator(dtype: torch.dtype, page: int, size: int, appends: list[int]) -> None:
    assert_bounds_are_those_of_each_pages_keys(update_page_bounds, torch.device("cpu"), dtype, page, size, appends)


@PAGES
@DTYPES
@APPENDS
def test_triton(dtype: torch.dtype, page: int, size: int, appends: list[int], kernel_device: torch.device) -> None:
    assert_bounds_are_those_of_each_pages_keys(triton, kernel_device, dtype, page, size, appends)


def assert_bounds_are_those_of_each_pages_keys(
    update: Update, device: torch.device, dtype: torch.dtype, page: int, size: int, appends: list[int]
) -> None:
    generator = torch.Generator().manual_seed(1)
    whole = torch.randn(2, 3, 130, size, generator=generator).to(device, dtype)
    starts = torch.tensor([0, 9], dtype=torch.int32, device=device)
    low, high = (torch.full((2, 3, -(-130 // page), size), float("nan"), dtype=dtype, device=device) for _ in range(2))

    lengths = torch.zeros(2, dtype=torch.int32, device=device)
    for new in appends:
        lengths += new
        key = torch.full_like(whole, float("nan"))
        for sequence in range(2):
            here = slice(int(starts[sequence]), int(starts[sequence] + lengths[sequence]))
            key[sequence, :, here] = whole[sequence, :, here]
        update(low, high, key, starts, lengths, new, page)

    pages = -(-int(lengths[0]) // page)
    for sequence in range(2):
        for number in range(pages):
            first = int(starts[sequence]) + number * page
            keys = whole[sequence, :, first : min(first + page, int(starts[sequence] + lengths[sequence]))]
            assert torch.equal(low[sequence, :, number], keys.min(dim=1).values)
            assert torch.equal(high[sequence, :, number], keys.max(dim=1).values)
    assert low[:, :, pages:].isnan().all(), "pages without tokens were written"


def test_wrong_arguments_are_named() -> None:
    key = torch.zeros(1, 2, 64, 8)
    low = torch.zeros(1, 2, 4, 8)
    one = torch.ones(1, dtype=torch.int32)

    with pytest.raises(InputError, match=r"low \(1, 2, 3, 8\) must be \(1, 2, 4, 8\), or with more pages"):
        update_page_bounds(low[:, :, :3], low, key, one, one, 1, 16)
    with pytest.raises(InputError, match=r"high is torch.float16 and key torch.float32"):
        update_page_bounds(low, low.half(), key, one, one, 1, 16)
    with pytest.raises(InputError, match=r"lengths is torch.int64 \(1,\), must be torch.int32"):
        update_page_bounds(low, low.clone(), key, one, one.long(), 1, 16)
    with pytest.raises(InputError, match="new 0 must be at least 1"):
        update_page_bounds(low, low.clone(), key, one, one, 0, 16)


def test_the_operator_is_well_formed() -> None:
    key = torch.randn(1, 2, 64, 8)
    low, high = torch.zeros(1, 2, 4, 8), torch.zeros(1, 2, 4, 8)
    starts, lengths = torch.zeros(1, dtype=torch.int32), torch.full((1,), 60, dtype=torch.int32)

    torch.library.opcheck(torch.ops.sparsetol.update_page_bounds.default, (low, high, key, starts, lengths, 60, 16))
