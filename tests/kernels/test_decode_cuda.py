"""The decode kernels on a CUDA device: every dtype and head size, long caches, captured graphs, compiled callers."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels.page_bounds import update_page_bounds
from sparsetol_kernels.quest import quest_page_scores
from sparsetol_kernels.quest_select import quest_select
from sparsetol_kernels.sparse_decode import sparse_decode_attention, sparse_decode_attention_reference
from torch import Tensor

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

TOLERANCE = {torch.bfloat16: 1e-2, torch.float16: 1e-3, torch.float32: 1e-5}
"""Largest ||out - reference|| / ||reference||, the reference in float64."""
PAGE = 16


def on_device(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int32, device="cuda")


def normal(*shape: int, dtype: torch.dtype = torch.bfloat16, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=dtype, device="cuda", generator=torch.Generator("cuda").manual_seed(seed))


def random_pages(batch: int, heads: int, pages: int, most: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator("cuda").manual_seed(5)
    index = torch.rand(batch, heads, pages, device="cuda", generator=generator).argsort(dim=-1)[..., :most].int()
    count = torch.randint(0, most + 1, (batch, heads), device="cuda", generator=generator).int()
    count[0, 0] = most
    return index, count


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected.double()).norm() / expected.double().norm())


@pytest.mark.parametrize("page", [1, 16])
@pytest.mark.parametrize("size", [64, 96, 128, 256])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_attention_is_the_references(dtype: torch.dtype, size: int, page: int) -> None:
    query = normal(3, 32, size, dtype=dtype)
    key, value = (normal(3, 8, 3000, size, dtype=dtype, seed=seed) for seed in (1, 2))
    starts, lengths = on_device(0, 17, 900), on_device(3000, 2900, 2033)
    index, count = random_pages(3, 8, 2033 // page, 700 // page)

    out, lse = sparse_decode_attention(query, key, value, index, count, page_size=page, starts=starts, lengths=lengths)

    expected, expected_lse = sparse_decode_attention_reference(
        query.double(), key, value, index, count, starts, lengths, page, size**-0.5
    )
    assert relative_error(out, expected) < TOLERANCE[dtype]
    torch.testing.assert_close(lse, expected_lse, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_quest_over_131072_tokens(dtype: torch.dtype) -> None:
    length, kept = 131072, 818
    query = normal(1, 8, 128, dtype=dtype)
    key, value = (normal(1, 2, length, 128, dtype=dtype, seed=seed) for seed in (1, 2))
    starts, lengths, budget = on_device(0), on_device(length), on_device(kept)
    low, high = (torch.full_like(key[:, :, : length // PAGE], float("nan")) for _ in range(2))
    update_page_bounds(low, high, key, starts, lengths, length, PAGE)
    pages = key.view(1, 2, -1, PAGE, 128)
    assert torch.equal(low, pages.amin(dim=3))
    assert torch.equal(high, pages.amax(dim=3))

    index, count = quest_select(query, key, low, high, budget, starts, lengths, page_size=PAGE, most=kept + 1)
    out, _ = sparse_decode_attention(query, key, value, index, count, page_size=PAGE, starts=starts, lengths=lengths)

    assert (count == kept + 1).all()
    scores = quest_page_scores(query[0].double(), low[0, :, :-1], high[0, :, :-1])
    chosen = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, index[0, :, :-1].long(), value=True)
    assert (chosen.sum(dim=1) == kept).all()
    worst_in = scores.masked_fill(~chosen, float("inf")).amin(dim=1)
    best_out = scores.masked_fill(chosen, float("-inf")).amax(dim=1)
    assert (best_out <= worst_in + 1e-5 * scores.abs().amax()).all()
    expected, _ = sparse_decode_attention_reference(
        query.double(), key, value, index, count, starts, lengths, PAGE, 128**-0.5
    )
    assert relative_error(out, expected) < TOLERANCE[dtype]


def test_offsets_beyond_two_to_the_31st() -> None:
    """One key head of 17 million tokens: 2.2 thousand million elements before its last tokens."""
    length, tail = 17_000_000, 4000
    key, value = (torch.empty(1, 1, length, 128, dtype=torch.bfloat16, device="cuda") for _ in range(2))
    key[:, :, -tail:], value[:, :, -tail:] = normal(1, 1, tail, 128, seed=1), normal(1, 1, tail, 128, seed=2)
    query = normal(1, 4, 128)
    starts, lengths = on_device(1), on_device(length - 1)
    low, high = (torch.zeros(1, 1, length // PAGE, 128, dtype=torch.bfloat16, device="cuda") for _ in range(2))
    update_page_bounds(low, high, key, starts, lengths, tail - PAGE, PAGE)
    # The untouched pages are bounded by zeros, so that they score 0, under most of the last ones.
    index, count = quest_select(query, key, low, high, on_device(100), starts, lengths, page_size=PAGE, most=101)
    out, _ = sparse_decode_attention(query, key, value, index, count, page_size=PAGE, starts=starts, lengths=lengths)

    assert int(count) == 101
    assert int(index.min()) >= (length - tail) // PAGE
    expected, _ = sparse_decode_attention_reference(
        query.double(), key, value, index, count, starts, lengths, PAGE, 128**-0.5
    )
    assert relative_error(out, expected) < 1e-2


class Step:
    """One decoding step of two sequences on buffers that stay in place."""

    def __init__(self) -> None:
        self.query = normal(2, 32, 128)
        self.key, self.value = normal(2, 8, 4096, 128, seed=1), normal(2, 8, 4096, 128, seed=2)
        self.low, self.high = (torch.zeros(2, 8, 256, 128, dtype=torch.bfloat16, device="cuda") for _ in range(2))
        self.starts, self.lengths, self.budget = on_device(0, 100), on_device(3000, 2000), on_device(20, 12)
        update_page_bounds(self.low, self.high, self.key, self.starts, self.lengths, 4096, PAGE)

    def __call__(self) -> Tensor:
        index, count = quest_select(
            self.query, self.key, self.low, self.high, self.budget, self.starts, self.lengths, page_size=PAGE, most=40
        )
        return sparse_decode_attention(
            self.query, self.key, self.value, index, count, page_size=PAGE, starts=self.starts, lengths=self.lengths
        )[0]

    def move_on(self) -> None:
        """Another token in each sequence, another query, another budget."""
        self.lengths += 1
        self.budget += 7
        self.query.copy_(normal(2, 32, 128, seed=int(self.lengths[0])))
        self.key.copy_(normal(2, 8, 4096, 128, seed=int(self.lengths[0]) + 1))
        update_page_bounds(self.low, self.high, self.key, self.starts, self.lengths - 1, 4096, PAGE)


def test_a_captured_graph_replays_with_other_inputs() -> None:
    step = Step()
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    with torch.cuda.stream(stream):
        step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        out = step()
    for _ in range(3):
        step.move_on()
        out.fill_(float("nan"))
        graph.replay()
        replayed = out.clone()

        assert torch.equal(replayed, step())


@pytest.mark.filterwarnings("default")  # the compiler has its own
def test_a_compiled_caller_without_graph_breaks() -> None:
    step = Step()
    compiled = torch.compile(step.__call__, fullgraph=True)
    for _ in range(2):
        assert torch.equal(compiled(), step())
        step.move_on()


@pytest.mark.parametrize("dtype", [torch.int32, torch.float8_e4m3fn], ids=str)
def test_a_dtype_that_is_no_floating_one_of_these_is_refused(dtype: torch.dtype) -> None:
    query, key = torch.zeros(1, 4, 64, device="cuda").to(dtype), torch.zeros(1, 1, 32, 64, device="cuda").to(dtype)

    with pytest.raises(ValueError, match="wanted bfloat16, float16, float32"):
        sparse_decode_attention(query, key, key, on_device(0)[None, None], on_device(1)[None])
