"""What columns and diagonals of the attention matrix bring to blocks of query rows, counted without the matrix.

A diagonal at offset o (query position - key position) brings to a row block that starts at row r the `block` keys that
it crosses there: r - o to r - o + block - 1. A column brings its key to every row block. Causality holds inside.
"""

from __future__ import annotations

import torch
from torch import Tensor


def crossed(slashes: Tensor, block: int) -> Tensor:
    """Which keys the diagonals bring, by how far the key lies before the row block's first row.

    Args:
        slashes: bool `[heads, length]`, by offset.
        block: query rows in a row block.

    Returns:
        bool `[heads, length + block - 1]`; place p is for the key at row block start - (p - block + 1), so that the
        first `block` places are the row block's own keys, the last of them first.

    """
    heads, length = slashes.shape
    before = torch.zeros(heads, length + 2 * block - 1, dtype=torch.int32, device=slashes.device)
    before[:, block : block + length] = slashes.cumsum(dim=1, dtype=torch.int32)
    before[:, block + length :] = before[:, block + length - 1, None]
    return before[:, block:] > before[:, :-block]


def brought(slashes: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Causal pairs that the diagonals bring, int64 `[heads]`, and that each column would add, int64 `[heads, length]`.

    Args:
        slashes: bool `[heads, length]`, by offset.
        block: query rows in a row block.

    """
    return _brought(_given(slashes, block), slashes.shape[1], block, loaded=False)


def attended_and_loaded(slashes: Tensor, columns: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Causal query-key pairs that lines bring, none counted twice, and the pairs of whole tiles: int64 `[heads]` each.

    The latter are `block` for each key that a row block meets, whatever of these are causal or exist.

    Args:
        slashes: bool `[heads, length]`, by offset.
        columns: bool `[heads, length]`, by key.
        block: query rows in a row block.

    """
    given = _given(slashes, block)
    parts = [_brought(given, slashes.shape[1], block, loaded=loaded) for loaded in (False, True)]
    attended, loaded = (by_slashes + (columns * by_column).sum(dim=1) for by_slashes, by_column in parts)
    return attended, loaded


def _given(slashes: Tensor, block: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of `crossed` the row block's own keys and earlier ones; and what the diagonals give to each key.

    That is, for `[heads, length]`: in how many row blocks after its own, and whether in the last of these.
    """
    heads, length = slashes.shape
    blocks = -(-length // block)
    met = crossed(slashes, block)
    own, earlier = met[:, :block], met[:, block:]
    # How often the diagonals meet a key is a sum over every `block`-th distance.
    padded = torch.nn.functional.pad(earlier, (0, blocks * block - (length - 1)))
    chain = padded.view(heads, blocks, block).cumsum(dim=1, dtype=torch.int32).flatten(1)
    distance = (blocks - 1) * block - torch.arange(length, device=slashes.device)
    at = (distance - 1).clamp(min=0)
    return own, earlier, chain[:, at], padded[:, at]


def _brought(
    given: tuple[Tensor, Tensor, Tensor, Tensor], length: int, block: int, *, loaded: bool
) -> tuple[Tensor, Tensor]:
    own, earlier, given_blocks, given_last = given
    device = own.device
    blocks = -(-length // block)
    last = (blocks - 1) * block
    position = torch.arange(length, device=device)
    # Rows of the row blocks that a diagonal's key lies inside of, for the keys of a row block itself and for others.
    behind = torch.arange(block - 1, -1, -1, device=device)
    tail = length - last
    if loaded:
        weight_own = (blocks - 1 + (behind < tail)) * block
        weight_earlier = (blocks - -(-(position[1:]) // block)) * block
        in_own = torch.full_like(position, block)
        rows, rows_last = block, block
    else:
        weight_own = (blocks - 1) * (block - behind) + (tail - behind).clamp(min=0)
        weight_earlier = length - -(-(position[1:]) // block) * block
        in_own = (position // block * block + block).clamp(max=length) - position
        rows, rows_last = block, tail
    by_slashes = (own * weight_own).sum(dim=1) + (earlier * weight_earlier.clamp(min=0)).sum(dim=1)
    # A column meets its own row block and each later one, but for what the diagonals gave it already.
    given_later = given_blocks * rows - given_last.int() * (rows - rows_last)
    given_own = own[:, block - 1 - position % block] * in_own
    all_later = (blocks - 1 - position // block - 1) * rows + rows_last
    return by_slashes, in_own - given_own + torch.where(position < last, all_later - given_later, 0)
