"""Triton kernels of Quest's selection: one scores every page, one picks the best of each list.

Scores stay in the second-level cache between the two; the best are found by a search for the k-th largest score, which
does not cost more where more are kept, and are written in order.
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
"""In a program that picks pages, which has 4 or 8 warps; 16 where it picks from several blocks."""
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
def _read(scores, page, earlier):
    """Scores that a threshold can be taken from: NaN as the largest number, infinity as the one before; one zero.

    Past the end they are -infinity.
    """
    score = tl.load(scores + page, mask=page < earlier, other=float("-inf"))
    return tl.where(score != score, 3.4028234663852886e38, tl.minimum(score, 3.4028232635611926e38)) + 0.0


@triton.jit
def _place(value):
    """Where a float lies among all floats: integers in the same order."""
    bits = value.to(tl.int32, bitcast=True)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@triton.jit
def _value(place):
    return (place ^ ((place >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)


@triton.jit
def _both(least, most, total, squares, other_least, other_most, other_total, other_squares):
    return tl.minimum(least, other_least), tl.maximum(most, other_most), total + other_total, squares + other_squares


@triton.jit
def _spread(score, page, earlier):
    """Least and largest score of a block, their sum and the sum of their squares."""
    own = tl.where(page < earlier, score, 0.0)
    return tl.reduce((tl.where(page < earlier, score, float("inf")), score, own, own * own), 0, _both)


@triton.jit
def _sums(one, two, three, other_one, other_two, other_three):
    return one + other_one, two + other_two, three + other_three


@triton.jit
def _below(score, one, two, three):
    """How many scores lie below each of three places: signs of differences, which add up faster than comparisons."""
    first = (score - _value(one)).to(tl.uint32, bitcast=True) >> 31
    second = (score - _value(two)).to(tl.uint32, bitcast=True) >> 31
    third = (score - _value(three)).to(tl.uint32, bitcast=True) >> 31
    return tl.reduce((first.to(tl.int32), second.to(tl.int32), third.to(tl.int32)), 0, _sums)


@triton.jit
def _inside(threshold, low, high):
    """The place of a threshold, moved to between two others."""
    return tl.minimum(tl.maximum(_place(threshold), low + 1), high - 1)


@triton.jit
def _guess(keep, earlier, total, squares, low, high):
    """Three places around the threshold that a normal distribution of these scores would have."""
    count = tl.maximum(earlier, 1).to(tl.float32)
    share = (keep.to(tl.float32) + 0.5) / (count + 1.0)
    mean = total / count
    deviation = tl.sqrt(tl.maximum(squares / count - mean * mean, 0.0))
    # The quantile of Tukey's lambda distribution of shape 0.14 is close to the normal one's.
    guess = mean + 4.91 * (tl.exp2(0.14 * tl.log2(1.0 - share)) - tl.exp2(0.14 * tl.log2(share))) * deviation
    margin = 0.15 * deviation
    return _inside(guess - margin, low, high), _inside(guess, low, high), _inside(guess + margin, low, high)


@triton.jit
def _between(left, low, high, below_low, below_high, narrow):
    """Two places around the threshold on a line between the ends of the bracket; the one on it, or the one halfway."""
    begin, end = _value(low), _value(high - 1)
    scale = tl.rsqrt((below_high - below_low).to(tl.float32))
    guess = ((left - below_low).to(tl.float32) + 0.5) * scale * scale
    # Ranks in between deviate by half of the scale where scores lie there by chance.
    margin = 0.35 * scale
    halfway = (low >> 1) + (high >> 1) + (low & high & 1)
    return (
        _inside(begin + (end - begin) * (guess - margin), low, high),
        _inside(begin + (end - begin) * (guess + margin), low, high),
        tl.where(narrow, _inside(begin + (end - begin) * guess, low, high), halfway),
    )


@triton.jit
def _narrowed(left, low, high, below_low, below_high, place, below):
    """The bracket after one more count."""
    fits = below <= left
    return (
        tl.maximum(low, tl.where(fits, place, low)),
        tl.minimum(high, tl.where(fits, high, place)),
        tl.maximum(below_low, tl.where(fits, below, below_low)),
        tl.minimum(below_high, tl.where(fits, below_high, below)),
    )


@triton.jit
def _write(score, low, page, earlier, index, before):
    """Pages that reach `low`, in order, after those `before`; how many there are then."""
    taken = ((score >= low) & (page < earlier)).to(tl.int32)
    tl.store(index + before + tl.cumsum(taken, 0) - taken, page, mask=taken > 0)
    return before + tl.sum(taken, 0)


@triton.jit
def _write_tied(score, low, page, earlier, index, larger_before, equal_before, equals):
    """Pages above `low`, and of those that equal it the first `equals`, each at its place in order."""
    larger = ((score > low) & (page < earlier)).to(tl.int32)
    equal = ((score == low) & (page < earlier)).to(tl.int32)
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

    Sought is a float that all scores but the `keep` best ones lie below. A bracket has such a float at or above its
    lower end and below its higher one; each round counts what lies below three places between them. It ends where just
    these scores lie below the lower end, or where no float is left between: scores that equal the lower end tie.
    """
    head, heads, batch = tl.program_id(0), tl.num_programs(0), tl.program_id(1)
    earlier = tl.maximum(tl.load(lengths + batch) - 1, 0) // PAGE
    keep = tl.minimum(tl.minimum(tl.load(budget + batch), earlier), most - 1)
    scores += batch.to(tl.int64) * score_batch + head.to(tl.int64) * score_head
    index += batch.to(tl.int64) * index_batch + head.to(tl.int64) * index_head
    page = tl.arange(0, BLOCK)
    score = _read(scores, page, earlier)
    least, largest, total, squares = _spread(score, page, earlier)
    for block in tl.range(1, BLOCKS):
        later = block * BLOCK + page
        least_later, largest_later, total_later, squares_later = _spread(_read(scores, later, earlier), later, earlier)
        least, largest, total, squares = _both(
            least, largest, total, squares, least_later, largest_later, total_later, squares_later
        )
    low, high = _place(least), _place(largest) + 1
    below_low, below_high = BLOCK * BLOCKS - earlier, tl.full([], BLOCK * BLOCKS, tl.int32)
    left = below_high - keep
    one, two, three = _guess(keep, earlier, total, squares, low, high)
    narrow = tl.full([], 1, tl.int1)
    while (keep > 0) & (below_low != left) & (low + 1 < high):
        below_one, below_two, below_three = _below(score, one, two, three)
        for block in tl.range(1, BLOCKS):
            later = _read(scores, block * BLOCK + page, earlier)
            one_later, two_later, three_later = _below(later, one, two, three)
            below_one, below_two, below_three = _sums(
                below_one, below_two, below_three, one_later, two_later, three_later
            )
        low, high, below_low, below_high = _narrowed(left, low, high, below_low, below_high, one, below_one)
        low, high, below_low, below_high = _narrowed(left, low, high, below_low, below_high, two, below_two)
        low, high, below_low, below_high = _narrowed(left, low, high, below_low, below_high, three, below_three)
        one, two, three = _between(left, low, high, below_low, below_high, narrow)
        narrow = narrow == 0
    none = tl.full([], 0, tl.int32)
    if below_low == left:
        taken = _write(score, _value(low), page, earlier, index, none)
        for block in tl.range(1, BLOCKS):
            later = block * BLOCK + page
            taken = _write(_read(scores, later, earlier), _value(low), later, earlier, index, taken)
    elif keep > 0:
        equals = below_high - left
        larger, equal = _write_tied(score, _value(low), page, earlier, index, none, none, equals)
        for block in tl.range(1, BLOCKS):
            later = block * BLOCK + page
            score = _read(scores, later, earlier)
            larger, equal = _write_tied(score, _value(low), later, earlier, index, larger, equal, equals)
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
        PAGE=page_size, BLOCK=block, BLOCKS=blocks, num_warps=ranking_warps(block, blocks),
    )  # fmt: skip
    return index, count


def ranking_block(pages: int) -> tuple[int, int]:
    """Scores that a program picks from at once, and how many times it must look."""
    block = max(128, min(MOST_AT_ONCE, triton.next_power_of_2(pages)))
    return block, triton.cdiv(pages, block)


def ranking_warps(block: int, blocks: int) -> int:
    """Warps of a program that picks from `block` scores at a time; of several blocks 16, as 8 would spill."""
    return 16 if blocks > 1 else min(8, max(4, block // SCORES_OF_A_WARP))
