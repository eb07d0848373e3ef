"""Dense attention: the fastest exact implementation that is installed and fits the call.

FlashAttention 4, 3 and 2 are tried in that order on CUDA with half-precision inputs, then PyTorch's own; a soft-cap
or sinks that a library does not take are computed by definition. The name of what ran goes into the report.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from sparsetol_kernels.attention import ROWS_AT_ONCE, Scoring, dense_attention
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True)
class FlashAttention:
    """One generation of FlashAttention as installed.

    Attributes:
        name: for reports.
        call: its function on `[batch, length, heads, size]`.
        softcap: whether it takes one.
        head_sizes: channels of a head at most.
        capability: smallest and largest major compute capability that it is built for.
        shares: major compute capability from which several of its programs can share a sequence.

    """

    name: str
    call: Callable[..., Any]
    softcap: bool
    head_sizes: int
    capability: tuple[int, int]
    shares: int = 8


_CANDIDATES = (
    ("flash_attn.cute", "flash-attn 4", True, 256, (9, 10), 10),
    ("flash_attn_interface", "flash-attn 3", True, 256, (9, 9), 9),
    ("fa3_fwd_interface", "flash-attn 3", True, 256, (9, 9), 9),
    ("flash_attn", "flash-attn 2", True, 256, (8, 9), 8),
)


@functools.cache
def installed_flash_attention() -> tuple[FlashAttention, ...]:
    """What can be imported here, newest first."""
    found = []
    for module, name, softcap, head_sizes, capability, shares in _CANDIDATES:
        try:
            call = importlib.import_module(module).flash_attn_func
        except (ImportError, OSError, AttributeError):
            # Not installed, or built for another torch or CUDA: the next one serves.
            continue
        found.append(FlashAttention(name, call, softcap, head_sizes, capability, shares))
    return tuple(found)


def flash_attention_for(query: Tensor, value: Tensor, scoring: Scoring) -> FlashAttention | None:
    """The newest library that takes such a call, or None."""
    if query.device.type != "cuda" or query.dtype not in {torch.bfloat16, torch.float16} or scoring.sinks is not None:
        return None
    major, _ = torch.cuda.get_device_capability(query.device)
    for library in installed_flash_attention():
        fits = max(query.shape[-1], value.shape[-1]) <= library.head_sizes and query.shape[-1] == value.shape[-1]
        least, most = library.capability
        if not fits or not least <= major <= most or (scoring.softcap is not None and not library.softcap):
            continue
        if query.shape[2] == 1 and major < library.shares:
            # A decoding step would be one program a key head, many times slower than what comes next.
            continue
        if _takes(library, query.dtype, query.shape[-1], scoring.window is not None, scoring.softcap, query.device):
            return library
    return None


@functools.cache
def _takes(
    library: FlashAttention,
    dtype: torch.dtype,
    head_size: int,
    windowed: bool,  # functools.cache takes positions and keywords for different calls
    softcap: float | None,
    device: torch.device,
) -> bool:
    """Whether this build computes such a call, found by a few tokens: wheels leave out dtypes, windows, head sizes."""
    # More tokens than the window has, or the library sees no window.
    heads = torch.zeros(2, 4, head_size, dtype=dtype, device=device)
    try:
        _flash(library, heads, heads, heads, Scoring(1.0, window=2 if windowed else None, softcap=softcap))
    except (RuntimeError, AssertionError, NotImplementedError, TypeError):
        return False
    return True


_SECOND: ContextVar[bool] = ContextVar("second", default=False)


@contextmanager
def second_backend() -> Iterator[None]:
    """Inside, dense attention is computed by the next best: PyTorch's for a library, the definition for PyTorch's."""
    token = _SECOND.set(True)
    try:
        yield
    finally:
        _SECOND.reset(token)


def attend(query: Tensor, key: Tensor, value: Tensor, starts: list[int], scoring: Scoring) -> tuple[Tensor, str]:
    """Causal attention of a left-padded batch; the queries are the last of each sequence.

    Args:
        query: `[batch, query heads, queries, head size]`.
        key: `[batch, key heads, length, head size]`.
        value: `[batch, key heads, length, value size]`.
        starts: position of each sequence's first real token.
        scoring: scale, window, soft-cap and sinks.

    Returns:
        `[batch, queries, query heads, value size]`, zeros at padding, and the name of what computed it.

    """
    batch, heads, queries, _ = query.shape
    length = key.shape[2]
    library = flash_attention_for(query, value, scoring)
    exact = scoring.softcap is not None or scoring.sinks is not None
    if _SECOND.get():
        exact = exact or library is None
        library = None
    name = library.name if library else "definition" if exact else "sdpa"
    if library is None and not exact and scoring.window is None and not any(starts):
        return _sdpa(query, key, value, scoring.scale, causal=queries > 1).transpose(1, 2), name
    if library is not None and starts == [0]:
        return _flash(library, query[0], key[0], value[0], scoring)[None], name
    out = query.new_zeros(batch, queries, heads, value.shape[-1])
    for sequence, start in enumerate(starts):
        first = max(start, length - queries)
        rows = slice(first - (length - queries), queries)
        q, k, v = query[sequence, :, rows], key[sequence, :, start:], value[sequence, :, start:]
        if library is not None:
            out[sequence, rows] = _flash(library, q, k, v, scoring)
        elif exact:
            out[sequence, rows] = dense_attention(q, k, v, scoring).transpose(0, 1)
        else:
            out[sequence, rows] = _windowed(q, k, v, scoring).transpose(0, 1)
    return out, name


def _sdpa(query: Tensor, key: Tensor, value: Tensor, scale: float, *, causal: bool) -> Tensor:
    return scaled_dot_product_attention(query, key, value, is_causal=causal, scale=scale, enable_gqa=True)


def _windowed(query: Tensor, key: Tensor, value: Tensor, scoring: Scoring) -> Tensor:
    """One sequence with or without a window: `[heads, queries, size]`."""
    queries, length = query.shape[1], key.shape[1]
    if scoring.window is None or scoring.window >= length:
        return _sdpa(query[None], key[None], value[None], scoring.scale, causal=queries > 1)[0]
    # In slices of rows, so that no mask of length x length is made.
    pieces = []
    for begin in range(0, queries, ROWS_AT_ONCE):
        end = min(begin + ROWS_AT_ONCE, queries)
        row = torch.arange(length - queries + begin, length - queries + end, device=query.device)
        first = max(0, length - queries + begin - scoring.window + 1)
        seen = torch.arange(first, length - queries + end, device=query.device)
        mask = (seen <= row[:, None]) & (seen > row[:, None] - scoring.window)
        keys = slice(first, length - queries + end)
        pieces.append(
            scaled_dot_product_attention(
                query[None, :, begin:end], key[None, :, keys], value[None, :, keys], mask, 0.0,
                scale=scoring.scale, enable_gqa=True,
            )[0]
        )  # fmt: skip
    return torch.cat(pieces, dim=1)


def _flash(library: FlashAttention, query: Tensor, key: Tensor, value: Tensor, scoring: Scoring) -> Tensor:
    """One sequence: `[queries, heads, size]`. These libraries align a causal mask to the last query, as is meant."""
    everything: tuple[int | None, int | None] = (None, None) if library.name == "flash-attn 4" else (-1, -1)
    window = everything if scoring.window is None else (scoring.window - 1, 0)
    extras: dict[str, Any] = {} if scoring.softcap is None else {"softcap": scoring.softcap}
    if library.name != "flash-attn 2":
        # The library decides how many programs share a sequence; as they call it, one does, and a decoding step is
        # many times slower. FlashAttention-2 always decides by itself. Where none can share, it must not try.
        alone = query.is_cuda and torch.cuda.get_device_capability(query.device)[0] < library.shares
        extras["num_splits"] = 1 if alone else 0
    # No copies: they take any strides but that of the last dimension, and the keys are the whole cache.
    q, k, v = (tensor.transpose(0, 1)[None] for tensor in (query, key, value))
    out = library.call(q, k, v, softmax_scale=scoring.scale, causal=True, window_size=window, **extras)
    result: Tensor = out[0] if isinstance(out, tuple) else out
    return result[0]
