"""How dense attention calls the libraries that compute it; stand-ins take their arguments and compute by definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sparsetol_kernels.attention import Scoring, dense_attention
from torch import Tensor

from pytest_sparsetol.engine import dense
from pytest_sparsetol.engine.dense import FlashAttention

NAMES = ("flash-attn 4", "flash-attn 3", "flash-attn 2")
SCORINGS = {
    "plain": Scoring(0.125),
    "window": Scoring(0.125, window=10),
    "softcap": Scoring(0.5, softcap=5.0),
}


def stand_in(name: str, *, returns_tuple: bool) -> FlashAttention:
    """A library with the keyword arguments and conventions that these three share."""

    def flash_attn_func(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        *,
        softmax_scale: float,
        causal: bool,
        window_size: tuple[int | None, int | None],
        softcap: float = 0.0,
        **only: int,
    ) -> Any:
        assert all(tensor.stride(3) == 1 and tensor.ndim == 4 for tensor in (q, k, v))
        # Asks the library how many programs share a sequence; generation 2 takes no such argument.
        assert only == ({} if name == "flash-attn 2" else {"num_splits": 0})
        assert causal
        left, _ = window_size
        everything = None if name == "flash-attn 4" else -1
        window = None if left == everything else int(left or 0) + 1
        query, key, value = (tensor[0].transpose(0, 1) for tensor in (q, k, v))
        out = dense_attention(query, key, value, Scoring(softmax_scale, window, softcap or None))
        out = out.transpose(0, 1)[None]
        return (out, None) if returns_tuple else out

    return FlashAttention(name, flash_attn_func, softcap=True, head_sizes=256, capability=(8, 10))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS.keys())
@pytest.mark.parametrize("queries", [40, 1])
def test_libraries_get_what_they_document(
    name: str, scoring: Scoring, queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = stand_in(name, returns_tuple=name == "flash-attn 4")
    monkeypatch.setattr(dense, "flash_attention_for", lambda query, value, scoring: library)
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 4, queries, 16, generator=generator)
    key, value = (torch.randn(2, 2, 40, 16, generator=generator) for _ in range(2))

    found, backend = dense.attend(query, key, value, [0, 7], scoring)

    assert backend == name
    for sequence, start in enumerate((0, 7)):
        first = max(0, start - (40 - queries))
        expected = dense_attention(
            query[sequence, :, first:], key[sequence, :, start:], value[sequence, :, start:], scoring
        )
        torch.testing.assert_close(found[sequence, first:].transpose(0, 1), expected)
        assert not found[sequence, :first].any()


class OnCuda:
    """What is asked of a tensor before a library is chosen."""

    device = torch.device("cuda")

    def __init__(self, size: int, dtype: torch.dtype = torch.bfloat16, queries: int = 2) -> None:
        self.shape = (1, 1, queries, size)
        self.dtype = dtype


@pytest.mark.parametrize(
    ("size", "softcap", "capability", "chosen"),
    [
        (64, None, (9, 0), "new"),
        (128, None, (9, 0), "old"),
        (64, 5.0, (9, 0), "old"),
        (64, None, (8, 6), "old"),
        (256, None, (9, 0), None),
        (64, None, (12, 0), None),
    ],
)
def test_the_newest_library_that_fits_is_taken(
    size: int, softcap: float | None, capability: tuple[int, int], chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = FlashAttention("new", print, softcap=False, head_sizes=64, capability=(9, 10))
    old = FlashAttention("old", print, softcap=True, head_sizes=128, capability=(8, 9))
    monkeypatch.setattr(dense, "installed_flash_attention", lambda: (new, old))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(dense, "_takes", lambda *call: True)
    query: Any = OnCuda(size)

    found = dense.flash_attention_for(query, query, Scoring(1.0, softcap=softcap))

    assert (found.name if found else None) == chosen


@pytest.mark.parametrize(("queries", "major", "chosen"), [(1, 9, "old"), (2, 9, "new"), (1, 10, "new")])
def test_a_library_decodes_only_where_its_programs_can_share_a_sequence(
    queries: int, major: int, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = FlashAttention("new", print, softcap=True, head_sizes=64, capability=(9, 10), shares=10)
    old = FlashAttention("old", print, softcap=True, head_sizes=64, capability=(8, 10))
    monkeypatch.setattr(dense, "installed_flash_attention", lambda: (new, old))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, 0))
    monkeypatch.setattr(dense, "_takes", lambda *call: True)
    query: Any = OnCuda(64, queries=queries)

    found = dense.flash_attention_for(query, query, Scoring(1.0))

    assert found is not None
    assert found.name == chosen


def test_a_build_without_windows_is_left_for_calls_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def flash(query: torch.Tensor, *_: torch.Tensor, window_size: tuple[int, int], **_options: Any) -> torch.Tensor:
        if window_size != (-1, -1):
            raise RuntimeError("this build does not support local attention")
        return query

    partly = FlashAttention("partly", flash, softcap=True, head_sizes=64, capability=(9, 9))
    monkeypatch.setattr(dense, "installed_flash_attention", lambda: (partly,))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    takes = dense._takes
    monkeypatch.setattr(dense, "_takes", lambda *call: takes(*call[:-1], torch.device("cpu")))
    query: Any = OnCuda(64)

    assert dense.flash_attention_for(query, query, Scoring(1.0)) is partly
    assert dense.flash_attention_for(query, query, Scoring(1.0, window=7)) is None


@pytest.mark.parametrize(
    ("dtype", "scoring"),
    [
        (torch.float32, Scoring(1.0)),
        (torch.bfloat16, Scoring(1.0, sinks=torch.zeros(1))),
        (torch.bfloat16, Scoring(1.0)),
    ],
)
def test_no_library_on_cpu_or_for_float32_or_sinks(dtype: torch.dtype, scoring: Scoring) -> None:
    query = torch.zeros(1, 1, 1, 64, dtype=dtype)

    assert dense.flash_attention_for(query, query, scoring) is None
