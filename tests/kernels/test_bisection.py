"""The largest number that fits, for whatever numbers are tried at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sparsetol_kernels.bisection import largest_that_fits
from torch import Tensor


@pytest.mark.parametrize("at_once", [1, 2, 3, 16])
@given(data=st.data(), most=st.integers(0, 30_000))
def test_it_is_the_largest_and_only_numbers_in_range_are_tried(at_once: int, data: st.DataObject, most: int) -> None:
    least = torch.tensor(data.draw(st.lists(st.integers(0, most), min_size=1, max_size=4)))
    limit = torch.tensor([data.draw(st.integers(-1, most + 2)) for _ in least])

    def fits(number: Tensor) -> Tensor:
        assert number.shape == (at_once, *least.shape)
        assert bool(((least <= number) & (number <= most)).all())
        return number <= limit

    assert (
        largest_that_fits(fits, least, most, at_once=at_once).tolist() == limit.clamp(max=most).maximum(least).tolist()
    )
