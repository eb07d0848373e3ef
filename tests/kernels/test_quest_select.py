"""Quest's selection: ties, budgets and lengths, and the same pages as the method's reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from sparsetol_kernels.errors import InputError
from sparsetol_kernels.page_bounds import update_page_bounds
from sparsetol_kernels.quest import quest_page_scores
from sparsetol_kernels.quest_select import quest_select
from torch import Tensor

from pytest_sparsetol.methods.quest import Quest
from tests.kernels.poison import poisoned

PAGE = 16

Select = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, int], tuple[Tensor, Tensor]]


def operator(
    query: Tensor, key: Tensor, low: Tensor, high: Tensor, budget: Tensor, starts: Tensor, lengths: Tensor, most: int
) -> tuple[Tensor, Tensor]:
    return quest_select(query, key, low, high, budget, starts, lengths, page_size=PAGE, most=most)


@pytest.fixture(params=[16384, 16], ids=["at once", "in blocks"])
def triton_select(
    request: pytest.FixtureRequest, kernel_device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> Select:
    """The kernels on this device, also as lists are searched that do not fit into registers."""
    from sparsetol_kernels.on_triton import quest_select as on_triton

    monkeypatch.setattr(on_triton, "MOST_AT_ONCE", request.param)

    def select(
        query: Tensor,
        key: Tensor,
        low: Tensor,
        high: Tensor,
        budget: Tensor,
        starts: Tensor,
        lengths: Tensor,
        most: int,
    ) -> tuple[Tensor, Tensor]:
        moved: list[Any] = [one.to(kernel_device) for one in (query, key, low, high, budget, starts, lengths)]
        with poisoned():
            index, count = on_triton.launch(*[*moved, PAGE, most])
        low.copy_(moved[2])
        high.copy_(moved[3])
        return index.cpu(), count.cpu()

    return select


def whole_numbers(batch: int, query_heads: int, heads: int, capacity: int, seed: int) -> tuple[Tensor, Tensor]:
    """Products and sums of these are exact in any order, and many are equal."""
    generator = torch.Generator().manual_seed(seed)
    query = torch.randint(-2, 3, (batch, query_heads, 24), generator=generator).float()
    return query, torch.randint(-1, 2, (batch, heads, capacity, 24), generator=generator).float()


def bounds(key: Tensor, starts: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """As after the token before the new one."""
    low, high = (key.new_full((*key.shape[:2], -(-key.shape[2] // PAGE), key.shape[3]), 77.0) for _ in range(2))
    update_page_bounds(low, high, key, starts, (lengths - 1).clamp(min=1), int(lengths.max()), PAGE)
    return low, high


BUDGETS = pytest.mark.parametrize("budget", [(0, 1), (7, 3), (100, 12)], ids=str)
LENGTHS = pytest.mark.parametrize("lengths", [(1, 16), (17, 500), (499, 33)], ids=str)


@BUDGETS
@LENGTHS
def test_operator_takes_the_best_pages(lengths: tuple[int, int], budget: tuple[int, int]) -> None:
    assert_best_pages(operator, lengths, budget)


@BUDGETS
@LENGTHS
def test_triton_takes_the_best_pages(lengths: tuple[int, int], budget: tuple[int, int], triton_select: Select) -> None:
    assert_best_pages(triton_select, lengths, budget)


def assert_best_pages(select: Select, lengths: tuple[int, int], budget: tuple[int, int]) -> None:
    """And of pages that score the same the first."""
    query, key = whole_numbers(2, 6, 2, 520, seed=sum(lengths))
    starts = torch.tensor([0, 13], dtype=torch.int32)
    length = torch.tensor(lengths, dtype=torch.int32)
    low, high = bounds(key, starts, length)

    index, count = select(query, key, low, high, torch.tensor(budget, dtype=torch.int32), starts, length, 34)

    for sequence in range(2):
        earlier = (lengths[sequence] - 1) // PAGE
        kept = min(budget[sequence], earlier)
        scores = quest_page_scores(query[sequence], low[sequence, :, :earlier], high[sequence, :, :earlier])
        for head in range(2):
            ranked = sorted(range(earlier), key=lambda page: -float(scores[head, page]))
            assert int(count[sequence, head]) == kept + 1
            assert index[sequence, head, : kept + 1].tolist() == [*sorted(ranked[:kept]), earlier]


def test_operator_reads_what_the_method_reads() -> None:
    assert_reads_what_the_method_reads(operator)


def test_triton_reads_what_the_method_reads(triton_select: Select) -> None:
    assert_reads_what_the_method_reads(triton_select)


def assert_reads_what_the_method_reads(select: Select) -> None:
    """Six tokens one by one, over the end of a page, bounds kept up by the selection alone."""
    method = Quest(0.8)
    query, key = whole_numbers(1, 4, 2, 240, seed=9)
    starts = torch.zeros(1, dtype=torch.int32)
    low, high = bounds(key, starts, torch.full((1,), 206, dtype=torch.int32))
    state = method.new_state()
    for length in range(206, 212):
        expected = method.select(state, query[0], key[0, :, :length])
        current = length - (length - 1) // PAGE * PAGE
        budget = torch.tensor([(expected.tokens.shape[1] - current) // PAGE], dtype=torch.int32)

        index, count = select(query, key, low, high, budget, starts, torch.tensor([length], dtype=torch.int32), 15)

        for head in range(2):
            pages = index[0, head, : int(count[0, head])]
            tokens = (pages[:, None] * PAGE + torch.arange(PAGE)).flatten()
            assert tokens[tokens < length].tolist() == expected.tokens[head].tolist()


# NumPy, which interprets, warns of what these scores make of their mean; a GPU does not.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("block", "blocks"), [(512, 1), (128, 3)])
def test_triton_ranks_any_scores_as_torch_ranks_them(kernel_device: torch.device, block: int, blocks: int) -> None:
    """Signs, zeros of both signs, infinities, and NaN, which torch puts first; held at once or read block by block."""
    from sparsetol_kernels.on_triton.quest_select import select_pages

    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(1, 6, 300, generator=generator)
    scores[0, 1] = torch.tensor([0.0, -0.0, 1.0, float("inf"), -float("inf"), float("nan"), -1e-40, 1e-40])[
        torch.randint(0, 8, (300,), generator=generator)
    ]
    scores[0, 2] *= 1e30
    scores[0, 3] = -3.0
    # Close neighbours: floats that differ in their last bits.
    scores[0, 4] = (scores[0, 0].argsort() // 2 + torch.tensor(7.0).view(torch.int32)).int().view(torch.float32)
    # Of all sizes that floats have: what lies halfway between two of them tells nothing.
    scores[0, 5] *= torch.exp2(260 * torch.rand(300, generator=generator) - 140)
    lengths = torch.tensor([300 * PAGE + 1], dtype=torch.int32, device=kernel_device)
    on_device = scores.to(kernel_device)
    for kept in (0, 1, 2, 50, 299, 300):
        index = torch.full((1, 6, 310), -1, dtype=torch.int32, device=kernel_device)
        count = torch.full((1, 6), -1, dtype=torch.int32, device=kernel_device)

        select_pages[(6, 1)](
            on_device, torch.tensor([kept], dtype=torch.int32, device=kernel_device), lengths, index, count, 310,
            *scores.stride()[:2], *index.stride()[:2],
            PAGE=PAGE, BLOCK=block, BLOCKS=blocks,
        )  # fmt: skip

        best = torch.sort(scores[0], dim=-1, descending=True, stable=True).indices[:, :kept].sort(dim=-1).values
        assert torch.equal(index[0, :, :kept].long().cpu(), best)
        assert (index[0, :, kept] == 300).all()
        assert (index[0, :, kept + 1 :] == -1).all()
        assert (count == kept + 1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("query_heads", "size"), [(2, 96), (6, 64), (34, 20)])
def test_triton_scores_are_those_of_the_definition(
    dtype: torch.dtype, query_heads: int, size: int, kernel_device: torch.device
) -> None:
    from sparsetol_kernels.on_triton.quest_select import score_pages

    generator = torch.Generator().manual_seed(4)
    query = torch.randn(2, query_heads, size, generator=generator).to(kernel_device, dtype)
    key = torch.randn(2, 2, 700, size, generator=generator).to(kernel_device, dtype)
    starts, lengths = torch.tensor([[0, 50], [700, 620]], dtype=torch.int32, device=kernel_device)
    low, high = bounds(key, starts, lengths)
    scores = torch.full((2, 2, 44), float("nan"), device=kernel_device)

    score_pages[(3, 2, 2)](
        query, key, low, high, starts, lengths, scores,
        *query.stride(), *key.stride(), *low.stride(), *scores.stride()[:2],
        GROUP=query_heads // 2, ROWS=32, SIZE=size, PADDED=128, PAGE=PAGE, PAGES=32,
    )  # fmt: skip

    for sequence, earlier in enumerate((43, 38)):
        expected = quest_page_scores(query[sequence], low[sequence, :, :earlier], high[sequence, :, :earlier])
        torch.testing.assert_close(scores[sequence, :, :earlier], expected, rtol=1e-5, atol=1e-4)
        assert scores[sequence, :, earlier:].isnan().all()


def test_wrong_arguments_are_named() -> None:
    query, key = whole_numbers(1, 4, 2, 64, seed=1)
    low, high = torch.zeros(1, 2, 4, 24), torch.zeros(1, 2, 4, 24)
    one = torch.ones(1, dtype=torch.int32)

    with pytest.raises(InputError, match=r"query \(1, 3, 24\) does not fit key \(1, 2, 64, 24\)"):
        operator(query[:, :3], key, low, high, one, one, one, 4)
    with pytest.raises(InputError, match=r"budget is torch.int64 \(1,\) on cpu, must be torch.int32 \(1,\)"):
        operator(query, key, low, high, one.long(), one, one, 4)
    with pytest.raises(InputError, match="most 0 must be at least 1"):
        operator(query, key, low, high, one, one, one, 0)


def test_the_operator_is_well_formed() -> None:
    query, key = whole_numbers(1, 4, 2, 64, seed=1)
    low, high = torch.zeros(1, 2, 4, 24), torch.zeros(1, 2, 4, 24)
    one = torch.ones(1, dtype=torch.int32)

    torch.library.opcheck(
        torch.ops.sparsetol.quest_select.default, (query, key, low, high, one, one - 1, 60 * one, PAGE, 4)
    )
