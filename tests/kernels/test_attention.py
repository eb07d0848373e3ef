"""Attention by definition against a plain masked softmax in float64."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.attention import Scoring, dense_attention, key_sparse_attention, token_sparse_attention
from sparsetol_kernels.selection import KeySelection, TokenSelection
from torch import Tensor


def naive(query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scoring: Scoring) -> Tensor:
    """Softmax attention of `[heads, rows, size]` under a mask, head by head."""
    group = query.shape[0] // key.shape[0]
    out = []
    for head in range(query.shape[0]):
        scores = query[head].double() @ key[head // group].double().T * scoring.scale
        if scoring.softcap is not None:
            scores = scoring.softcap * torch.tanh(scores / scoring.softcap)
        scores = scores.masked_fill(~seen[head], float("-inf"))
        if scoring.sinks is not None:
            scores = torch.cat([scores, scoring.sinks[head].double().expand(scores.shape[0], 1)], dim=1)
        weights = scores.softmax(dim=-1)[:, : key.shape[1]].nan_to_num(0.0)
        out.append(weights @ value[head // group].double())
    return torch.stack(out)


def tensors(heads: int, groups: int, length: int, size: int, seed: int = 42) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(heads, length, size, generator=generator),
        torch.randn(groups, length, size, generator=generator),
        torch.randn(groups, length, size, generator=generator),
    )


SCORINGS = {
    "plain": Scoring(0.2),
    "window": Scoring(0.2, window=37),
    "softcap": Scoring(0.9, softcap=2.0),
    "sinks": Scoring(0.2, sinks=torch.tensor([0.5, -1.0, 2.0, 0.0])),
    "all": Scoring(0.9, window=37, softcap=2.0, sinks=torch.tensor([0.5, -1.0, 2.0, 0.0])),
}


@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS.keys())
@pytest.mark.parametrize("length", [1, 63, 300])
def test_dense_attention(length: int, scoring: Scoring) -> None:
    query, key, value = tensors(4, 2, length, 24)
    row, column = torch.arange(length)[:, None], torch.arange(length)[None]
    seen = (column <= row) & (column > row - (scoring.window or length))

    expected = naive(query, key, value, seen.expand(4, -1, -1), scoring)

    torch.testing.assert_close(dense_attention(query, key, value, scoring).double(), expected, atol=1e-5, rtol=0)


def test_dense_attention_of_the_last_queries_only() -> None:
    query, key, value = tensors(4, 2, 300, 24)
    whole = dense_attention(query, key, value, SCORINGS["window"])

    found = dense_attention(query[:, -3:], key, value, SCORINGS["window"])

    torch.testing.assert_close(found, whole[:, -3:])


@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS.keys())
@pytest.mark.parametrize("length", [1, 63, 200])
def test_key_sparse_attention(length: int, scoring: Scoring) -> None:
    query, key, value = tensors(4, 2, length, 24)
    block = 16
    blocks = -(-length // block)
    keys = torch.rand(4, blocks, length, generator=torch.Generator().manual_seed(1)) < 0.3
    last = torch.arange(1, blocks + 1)[:, None] * block
    selection = KeySelection(keys & (torch.arange(length)[None] < last), block)
    row, column = torch.arange(length)[:, None], torch.arange(length)[None]
    seen = selection.keys.repeat_interleave(block, dim=1)[:, :length] & (column <= row)
    seen &= column > row - (scoring.window or length)

    expected = naive(query, key, value, seen, scoring)

    found = key_sparse_attention(query, key, value, selection, scoring)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    attended = seen.sum(dim=(1, 2)) if scoring.window is None else None
    if attended is not None:
        torch.testing.assert_close(selection.attended() * (length * (length + 1) // 2), attended.double())


@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS.keys())
def test_token_sparse_attention_of_lists_of_different_lengths(scoring: Scoring) -> None:
    query, key, value = tensors(4, 2, 120, 24)
    tokens = torch.stack([torch.randperm(120, generator=torch.Generator().manual_seed(s))[:50] for s in (1, 2)])
    count = torch.tensor([50, 17])
    selection = TokenSelection(tokens, count, loaded=count.double())
    seen = torch.zeros(2, 120, dtype=torch.bool)
    for head in range(2):
        seen[head, tokens[head, : count[head]]] = True
    if scoring.window is not None:
        seen[:, : 120 - scoring.window] = False

    expected = naive(query[:, -1:], key, value, seen.repeat_interleave(2, dim=0)[:, None], scoring)

    found = token_sparse_attention(query[:, -1], key, value, selection, scoring)
    torch.testing.assert_close(found.double(), expected[:, 0], atol=1e-5, rtol=0)


def test_nothing_selected_gives_zeros() -> None:
    query, key, value = tensors(4, 2, 8, 24)
    nothing = TokenSelection(torch.zeros(2, 0, dtype=torch.long), torch.zeros(2, dtype=torch.long), torch.zeros(2))

    assert torch.equal(token_sparse_attention(query[:, -1], key, value, nothing, Scoring(1.0)), torch.zeros(4, 24))
