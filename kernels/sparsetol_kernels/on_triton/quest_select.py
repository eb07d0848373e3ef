"""Triton kernels of Quest's selection: one scores every page, one picks the best of each list.

Scores stay in the second-level cache between the two; the best are found by a search for the k-th largest score, bit by
bit, so that the cost does not depend on how many are kept, and are written in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from sparsetol_kernels.on_triton.page_bounds import bound_pages


@dataclass(frozen=True)
class Scoring:
    """Pages that one program scores, and its warps."""

    pages: int
    warps: int


SCORING = Scoring(pages=8, warps=1)
SCORES_OF_A_WARP = 512
"""In a program that picks pages, which has 4 to 16 warps."""
MOST_AT_ONCE = 8192
"""Scores that a program holds in registers; longer lists are read again in every round of the search."""


@triton.jit
def score_pages(
    query, key, low, high, starts, lengths, scores,
    query_batch, query_head, query_size,
    key_batch, key_head, key_token, key_size,
    bound_batch, bound_head, bound_page, bound_size, score_batch, score_head,
    GROUP: tl.constexpr, ROWS: tl.constexpr, SIZE: tl.constexpr, PADDED: tl.constexpr,
    PAGE: tl.constexpr, PAGES: tl.constexpr,
):  # fmt: skip
    """Upper bounds of the earlier pages' products; the first program brings the current page's bounds up to date.

    sum_heads sum_d max(q_d low_d, q_d high_d) = sum_d (high_d sum_heads max(q_d, 0) + low_d sum_heads min(q_d, 0)):
    two products for each page, however many query heads share it.
    """
    block = tl.program_id(0)
    head, batch = tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    length = tl.load(lengths + batch)
    earlier = tl.maximum(length - 1, 0) // PAGE
    low += batch * bound_batch + head * bound_head
    high += batch * bound_batch + head * bound_head
    if block == 0:
        key += batch * key_batch + head * key_head + tl.load(starts + batch).to(tl.int64) * key_token
        current = earlier + tl.arange(0, 1)
        bound_pages(
            key, low, high, current, current * PAGE < length, length,
            key_token, key_size, bound_page, bound_size, SIZE, PADDED, PAGE,
        )  # fmt: skip
        return
    first = (block - 1) * PAGES
    if first >= earlier:
        return
    inner = tl.arange(0, PADDED)
    page = first + tl.arange(0, PAGES)
    at = page[:, None].to(tl.int64) * bound_page + inner[None, :] * bound_size
    inside = (page < earlier)[:, None] & (inner < SIZE)[None, :]
    least = tl.load(low + at, mask=inside, other=0.0).to(tl.float32)
    most = tl.load(high + at, mask=inside, other=0.0).to(tl.float32)
    rows = tl.arange(0, ROWS)
    q = tl.load(
        query + batch * query_batch + (head * GROUP + rows)[:, None] * query_head + inner[None, :] * query_size,
        mask=(rows < GROUP)[:, None] & (inner < SIZE)[None, :], other=0.0,
    ).to(tl.float32)  # fmt: skip
    above = tl.sum(tl.maximum(q, 0.0), 0)
    below = tl.sum(tl.minimum(q, 0.0), 0)
    bound = tl.sum(most * above[None, :] + least * below[None, :], 1)
    tl.store(scores + batch * score_batch + head * score_head + page, bound, mask=page < earlier)


@triton.jit
def _ordered(scores, page, earlier):
    """Scores as unsigned integers of the same order, 0 past the end; equal zeros are equal, NaN is the largest."""
    score = tl.load(scores + page, mask=page < earlier, other=0.0)
    bits = tl.where(score == 0.0, 0.0, score).to(tl.uint32, bitcast=True)
    number = tl.where(bits >= 0x80000000, bits ^ 0xFFFFFFFF, bits ^ 0x80000000)
    number = tl.where(score != score, tl.full(number.shape, 0xFFFFFFFF, tl.uint32), number)
    return tl.where(page < earlier, number, tl.zeros(number.shape, tl.uint32))


@triton.jit
def _at_least(number, threshold, step):
    """How many numbers reach threshold + step, + 2 step and + 3 step: three counts of 21 bits each."""
    one = number >= (threshold + step).to(tl.uint32)
    two = number >= (threshold + 2 * step).to(tl.uint32)
    three = number >= (threshold + 3 * step).to(tl.uint32)
    packed = one.to(tl.int64) + (two.to(tl.int64) << 21) + (three.to(tl.int64) << 42)
    return tl.sum(packed, 0)


@triton.jit
def _raised(threshold, reached, step, reach, keep):
    """The threshold with the two bits of this round, the largest that lets `keep` numbers through; how many it lets."""
    one, two, three = reach & 0x1FFFFF, (reach >> 21) & 0x1FFFFF, reach >> 42
    fits = (one >= keep).to(tl.int64) + (two >= keep).to(tl.int64) + (three >= keep).to(tl.int64)
    reached = tl.where(fits == 0, reached, tl.where(fits == 1, one, tl.where(fits == 2, two, three)))
    return threshold + fits * step, reached


@triton.jit
def _spread(number, page, earlier):
    """Least and largest number of a block; pages past the end do not count."""
    least = tl.min(tl.where(page < earlier, number, tl.full(number.shape, 0xFFFFFFFF, tl.uint32)), 0)
    return least.to(tl.int64), tl.max(number, 0).to(tl.int64)


@triton.jit
def _begin(least, largest):
    """What all numbers begin with, the rest zero, and how many bits are left: an even number."""
    # The exponent of a float is the length of a number; rounding makes it one too long at most.
    differing = (least ^ largest).to(tl.float32)
    bits = (differing.to(tl.int32, bitcast=True) >> 23) - 126
    bits = tl.minimum(tl.maximum(bits + (bits & 1), 0), 32).to(tl.int64)
    return (least >> bits) << bits, bits


@triton.jit
def _write(number, edge, page, earlier, index, larger_before, equal_before, equals):
    """Pages above the edge, and of those that equal it the first `equals`, each at its place in order."""
    larger = ((number.to(tl.int64) > edge) & (page < earlier)).to(tl.int32)
    equal = ((number.to(tl.int64) == edge) & (page < earlier)).to(tl.int32)
    # Two running counts in one: at most 8192 of each in a block.
    both = tl.cumsum(larger + (equal << 16), 0) - larger - (equal << 16)
    ties = equal_before + (both >> 16)
    taken = (larger > 0) | ((equal > 0) & (ties < equals))
    tl.store(index + larger_before + (both & 0xFFFF) + tl.minimum(ties, equals), page, mask=taken)
    return larger_before + tl.sum(larger, 0), equal_before + tl.sum(equal, 0)


@triton.jit
def select_pages(
    scores, budget, lengths, index, count, most,
    score_batch, score_head, index_batch, index_head,
    PAGE: tl.constexpr, BLOCK: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    """The best-scoring earlier pages of one list and the current page, ascending; of equal scores the earlier page.

    The largest threshold that at least `keep` scores reach is sought two bits a round: below the bits that all scores
    share, and until exactly `keep` reach it, which without ties is long before the last bit.
    """
    head, heads, batch = tl.program_id(0), tl.num_programs(0), tl.program_id(1)
    earlier = tl.maximum(tl.load(lengths + batch) - 1, 0) // PAGE
    keep = tl.minimum(tl.minimum(tl.load(budget + batch), earlier), most - 1)
    scores += batch.to(tl.int64) * score_batch + head.to(tl.int64) * score_head
    index += batch.to(tl.int64) * index_batch + head.to(tl.int64) * index_head
    place = tl.arange(0, BLOCK)
    none = tl.full([], 0, tl.int32)
    reached = earlier.to(tl.int64)
    if BLOCKS == 1:
        number = _ordered(scores, place, earlier)
        least, largest = _spread(number, place, earlier)
        threshold, bits = _begin(least, largest)
        while (bits > 0) & (reached != keep):
            bits -= 2
            step = tl.full([], 1, tl.int64) << bits
            threshold, reached = _raised(threshold, reached, step, _at_least(number, threshold, step), keep)
        edge = threshold - (reached == keep).to(tl.int64)
        above = tl.sum(((number.to(tl.int64) > edge) & (place < earlier)).to(tl.int32), 0)
        _write(number, edge, place, earlier, index, none, none, keep - above)
    else:
        least = tl.full([], 0xFFFFFFFF, tl.int64)
        largest = tl.full([], 0, tl.int64)
        for block in tl.range(0, BLOCKS):
            page = block * BLOCK + place
            low, high = _spread(_ordered(scores, page, earlier), page, earlier)
            least = tl.minimum(least, low)
            largest = tl.maximum(largest, high)
        threshold, bits = _begin(least, largest)
        while (bits > 0) & (reached != keep):
            bits -= 2
            step = tl.full([], 1, tl.int64) << bits
            reach = tl.full([], 0, tl.int64)
            for block in tl.range(0, BLOCKS):
                reach += _at_least(_ordered(scores, block * BLOCK + place, earlier), threshold, step)
            threshold, reached = _raised(threshold, reached, step, reach, keep)
        edge = threshold - (reached == keep).to(tl.int64)
        above = none
        for block in tl.range(0, BLOCKS):
            page = block * BLOCK + place
            number = _ordered(scores, page, earlier)
            above += tl.sum(((number.to(tl.int64) > edge) & (page < earlier)).to(tl.int32), 0)
        larger = none
        equal = none
        for block in tl.range(0, BLOCKS):
            page = block * BLOCK + place
            number = _ordered(scores, page, earlier)
            larger, equal = _write(number, edge, page, earlier, index, larger, equal, keep - above)
    tl.store(index + keep, earlier)
    tl.store(count + batch * heads + head, keep + 1)


def launch(
    query: Tensor, key: Tensor, low: Tensor, high: Tensor, budget: Tensor, starts: Tensor, lengths: Tensor,
    page_size: int, most: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Run both kernels; arguments are `quest_select`'s, already checked; `low` and `high` have equal strides."""
    batch, query_heads, size = query.shape
    heads, pages = low.shape[1:3]
    group = query_heads // heads
    scores = query.new_empty((batch, heads, pages), dtype=torch.float32)
    index = query.new_empty((batch, heads, most), dtype=torch.int32)
    count = query.new_empty((batch, heads), dtype=torch.int32)
    score_pages[(1 + triton.cdiv(pages, SCORING.pages), heads, batch)](
        query, key, low, high, starts, lengths, scores,
        *query.stride(), *key.stride(), *low.stride(), *scores.stride()[:2],
        GROUP=group, ROWS=triton.next_power_of_2(group), SIZE=size, PADDED=triton.next_power_of_2(size),
        PAGE=page_size, PAGES=SCORING.pages, num_warps=SCORING.warps,
    )  # fmt: skip
    block, blocks = ranking_block(pages)
    select_pages[(heads, batch)](
        scores, budget, lengths, index, count, most, *scores.stride()[:2], *index.stride()[:2],
        PAGE=page_size, BLOCK=block, BLOCKS=blocks, num_warps=ranking_warps(block),
    )  # fmt: skip
    return index, count


def ranking_block(pages: int) -> tuple[int, int]:
    """Scores that a program picks from at once, and how many times it must look."""
    block = max(128, min(MOST_AT_ONCE, triton.next_power_of_2(pages)))
    return block, triton.cdiv(pages, block)


def ranking_warps(block: int) -> int:
    """Warps of a program that picks from `block` scores at once."""
    return min(16, max(4, block // SCORES_OF_A_WARP))
