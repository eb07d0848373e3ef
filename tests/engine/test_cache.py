"""The cache that grows in place holds what the library's own holds."""

from __future__ import annotations

import torch
from transformers import DynamicCache

from pytest_sparsetol.engine import cache as caching
from pytest_sparsetol.engine.cache import GrowingCache


def states(tokens: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    key, value = (torch.randn(2, 3, tokens, size, generator=generator) for size in (8, 4))
    return key, value


def test_it_holds_what_the_librarys_holds() -> None:
    growing, own = GrowingCache(), DynamicCache()

    # The second piece is longer than the room.
    for number, tokens in enumerate((5, caching.ROOM + 9, 1, 1, 3)):
        for layer in range(2):
            new = states(tokens, 10 * number + layer)
            found, expected = growing.update(*new, layer), own.update(*new, layer)
            assert all(map(torch.equal, found, expected))
        assert growing.get_seq_length() == own.get_seq_length()
        assert growing.get_mask_sizes(1, 0) == own.get_mask_sizes(1, 0)


def test_a_step_copies_no_earlier_token() -> None:
    cache = GrowingCache()
    cache.update(*states(40, 0), 0)
    first, _ = cache.update(*states(1, 1), 0)

    later, _ = cache.update(*states(1, 2), 0)

    assert later.data_ptr() == first.data_ptr()
    assert torch.equal(later[:, :, :41], first)
