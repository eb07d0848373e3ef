"""Quest's selection for a batch of decoding steps: score every page of the cache, list the best of each key head."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsetol_kernels.backend import checking_indices, triton_serves
from sparsetol_kernels.custom_operator import define_operator
from sparsetol_kernels.errors import InputError, require, require_alike
from sparsetol_kernels.page_bounds import check_bounds, update_page_bounds_reference
from sparsetol_kernels.quest import quest_page_scores
from sparsetol_kernels.sequences import check_sequences

_NAME = "quest_select"


def quest_select(
    query: Tensor,
    key: Tensor,
    low: Tensor,
    high: Tensor,
    budget: Tensor,
    starts: Tensor,
    lengths: Tensor,
    *,
    page_size: int,
    most: int,
) -> tuple[Tensor, Tensor]:
    """Pages that one new token of each sequence reads: its best-scoring earlier pages, and the current one.

    The current page holds the new token; its bounds are brought up to date here, so that decoding one token a call
    needs no other upkeep once the prompt's pages are bounded. Of pages that score the same the earlier one is taken.
    Triton on CUDA, PyTorch elsewhere; the custom operator `sparsetol::quest_select`, which never waits for the device.

    Source: Tang et al. 2024 (Quest), arXiv 2406.10774, section 3.3; scores are `quest_page_scores`.

    Departures: on CUDA a score is summed in another order, so that pages whose scores differ by less than float32
    rounding may change places.

    Args:
        query: `[batch, query heads, head size]` of the new tokens.
        key: `[batch, key heads, capacity, head size]`, the cache, the new tokens last of each sequence.
        low: `[batch, key heads, pages, head size]`: minimum of each earlier page's keys; written at the current page.
        high: likewise the maximum.
        budget: int32 `[batch]`: earlier pages to read; more than there are means all.
        starts: int32 `[batch]`: position of each sequence's first real token.
        lengths: int32 `[batch]`: real tokens of each sequence, the new one included; at least 1.
        page_size: tokens of a page.
        most: entries of a list, at least 1 more than the largest budget; what exceeds it is not read.

    Returns:
        int32 `[batch, key heads, most]`, page numbers in ascending order, entries from the count on not set; and int32
        `[batch, key heads]`, how many count: what `sparse_decode_attention` takes.

    Raises:
        InputError: a wrong shape, dtype or device; `budget`, `starts` and `lengths` out of range only where
            SPARSETOL_KERNELS_DEBUG=1, which waits for the device, and undefined behaviour without it.

    """
    check_bounds(_NAME, low, high, key, starts, lengths, page_size)
    batch, heads, _, size = key.shape
    require(
        query.dim() == 3 and (query.shape[0], query.shape[2]) == (batch, size) and query.shape[1] % max(heads, 1) == 0,
        _NAME,
        lambda: (
            f"query {tuple(query.shape)} does not fit key {tuple(key.shape)}: batch and head size must be equal, and "
            "query heads a multiple of key heads"
        ),
    )
    require_alike(_NAME, "query and key", query, key)
    require(
        budget.shape == (batch,) and budget.dtype == torch.int32 and budget.device == key.device,
        _NAME,
        lambda: (
            f"budget is {budget.dtype} {tuple(budget.shape)} on {budget.device}, must be torch.int32 ({batch},) on "
            f"{key.device}"
        ),
    )
    require(most >= 1, _NAME, lambda: f"most {most} must be at least 1: the current page is always read")
    if checking_indices():
        check_sequences(_NAME, starts, lengths, key.shape[2], least=1)
        for sequence in (budget < 0).nonzero().flatten().tolist()[:1]:
            raise InputError(f"{_NAME}: budget[{sequence}] is {int(budget[sequence])}, must be at least 0 pages")
    out: tuple[Tensor, Tensor] = torch.ops.sparsetol.quest_select(
        query, key, low, high, budget, starts, lengths, page_size, most
    )
    return out


def quest_select_reference(
    query: Tensor,
    key: Tensor,
    low: Tensor,
    high: Tensor,
    budget: Tensor,
    starts: Tensor,
    lengths: Tensor,
    page_size: int,
    most: int,
) -> tuple[Tensor, Tensor]:
    """The same by definition, sequence by sequence in PyTorch; arguments and results are `quest_select`'s."""
    batch, heads = key.shape[:2]
    update_page_bounds_reference(low, high, key, starts, lengths, 1, page_size)
    index = torch.zeros(batch, heads, most, dtype=torch.int32, device=key.device)
    count = torch.zeros(batch, heads, dtype=torch.int32, device=key.device)
    for sequence in range(batch):
        earlier = (int(lengths[sequence]) - 1) // page_size
        kept = min(int(budget[sequence]), earlier, most - 1)
        scores = quest_page_scores(query[sequence], low[sequence, :, :earlier], high[sequence, :, :earlier])
        best = torch.sort(scores, dim=-1, descending=True, stable=True).indices[:, :kept]
        index[sequence, :, :kept] = best.sort(dim=-1).values.int()
        index[sequence, :, kept] = earlier
        count[sequence] = kept + 1
    return index, count


def _on_cuda(
    query: Tensor,
    key: Tensor,
    low: Tensor,
    high: Tensor,
    budget: Tensor,
    starts: Tensor,
    lengths: Tensor,
    page_size: int,
    most: int,
) -> tuple[Tensor, Tensor]:
    if not triton_serves(key.device):
        return quest_select_reference(query, key, low, high, budget, starts, lengths, page_size, most)
    from sparsetol_kernels.on_triton.quest_select import launch

    return launch(query, key, low, high, budget, starts, lengths, page_size, most)


def _shapes(
    query: Tensor,
    key: Tensor,
    low: Tensor,  # noqa: ARG001  # the operator's arguments are these
    high: Tensor,  # noqa: ARG001  # likewise
    budget: Tensor,  # noqa: ARG001  # likewise
    starts: Tensor,  # noqa: ARG001  # likewise
    lengths: Tensor,  # noqa: ARG001  # likewise
    page_size: int,  # noqa: ARG001  # likewise
    most: int,
) -> tuple[Tensor, Tensor]:
    return (
        query.new_empty((*key.shape[:2], most), dtype=torch.int32),
        query.new_empty(key.shape[:2], dtype=torch.int32),
    )


define_operator(_NAME, quest_select_reference, _on_cuda, _shapes, mutates=("low", "high"))
