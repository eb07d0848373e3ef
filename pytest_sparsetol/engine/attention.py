"""The attention function that models of the transformers library call in place of their own.

It enters through `AttentionInterface` and `AttentionMaskInterface` under one name. What it needs beyond the tensors
(phase, padding, policy, page statistics) stands in the active `Pass`, as the library passes none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from sparsetol_kernels.attention import Scoring, token_sparse_attention
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.selection import TokenSelection
from sparsetol_kernels.snapkv import snapkv_backend
from sparsetol_kernels.sparse_decode import sparse_decode_attention, sparse_decode_backend
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface

from pytest_sparsetol.engine import dense, prefill
from pytest_sparsetol.engine.device import on_device
from pytest_sparsetol.engine.evidence import EvidenceRecall
from pytest_sparsetol.engine.meter import Meter
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.engine.quest_pages import QuestPages, count_step
from pytest_sparsetol.engine.retention import Retained, RetainedBatch, select_within
from pytest_sparsetol.errors import ModelError
from pytest_sparsetol.methods.base import KvMethod, PrefillMethod
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.snapkv import SnapKV

NAME = "sparsetol"

_HARMLESS = frozenset(
    {"position_ids", "cache_position", "use_cache", "output_attentions", "output_hidden_states", "return_dict"}
)
"""Keyword arguments that do not change what attention computes here: positions are in the rotary embedding already."""


@dataclass
class Pass:
    """One batch on its way through the model: prefill first, then decoding steps.

    Attributes:
        policy: methods of the phases.
        starts: position of each sequence's first real token (left padding before it).
        longest: tokens that the batch can grow to; layers whose window is smaller are local and stay dense.
        phase: what the forward call at hand is.
        unfinished: which sequences still count, in decoding.
        meter: what was selected so far.
        states: a decode method's memory, by layer and sequence.
        pages: Quest's, by layer, where kernels decode the batch at once.
        retained: what a kv method left of the prompt, by layer and sequence.
        retained_batches: the same by layer, where the kernel decodes the batch at once.
        backends: names of what computed dense and sparse attention.
        evidence: counts what selections left of the facts that answers need; None where nobody asks.

    """

    policy: Policy
    starts: list[int]
    longest: int
    phase: Literal["prefill", "decode"] = "prefill"
    unfinished: list[bool] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)
    states: dict[tuple[int, int], Any] = field(default_factory=dict)
    pages: dict[int, QuestPages] = field(default_factory=dict)
    retained: dict[tuple[int, int], Retained] = field(default_factory=dict)
    retained_batches: dict[int, RetainedBatch] = field(default_factory=dict)
    backends: set[str] = field(default_factory=set)
    evidence: EvidenceRecall | None = None
    window_asked: bool = False
    window_given: bool = False

    def __post_init__(self) -> None:
        self.unfinished = self.unfinished or [True] * len(self.starts)


_active: ContextVar[Pass | None] = ContextVar("sparsetol_pass", default=None)


@contextmanager
def forward_pass(current: Pass) -> Iterator[None]:
    """Make `current` the pass that attention calls belong to.

    Raises `ModelError` on leaving, where the model asked for a windowed mask and no layer was told of a window.
    """
    token = _active.set(current)
    try:
        yield
    finally:
        _active.reset(token)
    if current.window_asked and not current.window_given:
        raise ModelError(
            "the model builds a sliding-window mask but passes no sliding_window to its attention; "
            "it cannot be run faithfully"
        )


def register() -> None:
    """Make the attention known to transformers; a name without its mask would silently mean no mask at all."""
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, mask)


def mask(
    batch_size: int,  # noqa: ARG001  # the library passes all of these by name
    q_length: int,
    kv_length: int,
    mask_function: Callable[..., Any],
    q_offset: int | Tensor = 0,
    config: Any = None,
    **_: Any,
) -> None:
    """No mask is made: causality, padding and windows are computed in place. Anything else is refused here.

    Raises `ModelError` where the model's mask is neither causal nor causal within its configured window.
    """
    current = _current()
    if q_length == 1:
        return
    window = getattr(config, "sliding_window", None)
    edges = {0, 1, q_length // 2, q_length - 1}
    if window is not None:
        edges |= {edge for edge in (window - 1, window, window + 1) if edge < q_length}
    row = torch.tensor(sorted(edges))[:, None] + int(q_offset)
    key = torch.arange(kv_length)[None, :]
    zero = torch.zeros((), dtype=torch.long)
    seen = torch.as_tensor(mask_function(zero, zero, row, key)).expand(row.shape[0], kv_length)
    causal = key <= row
    if torch.equal(seen, causal):
        return
    if window is not None and torch.equal(seen, causal & (key > row - window)):
        current.window_asked = True
        return
    raise ModelError("the model masks attention in a way that is neither causal nor a sliding window; it is not run")


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **extras: Any,
) -> tuple[Tensor, None]:
    """Attention of one layer under the active policy.

    Args:
        module: the model's attention module; `layer_idx` names the layer.
        query: `[batch, query heads, queries, head size]`.
        key: `[batch, key heads, length, head size]`, the cache included.
        value: `[batch, key heads, length, value size]`.
        attention_mask: None, as `mask` makes none.
        scaling: factor on the products.
        dropout: 0.
        extras: `sliding_window`, `softcap` and `s_aux` are honoured.

    Returns:
        `[batch, queries, query heads, value size]`, and None for the weights.

    Raises:
        ModelError: for anything that would be ignored otherwise.

    """
    current = _current()
    scoring = _scoring(module, query, scaling, extras)
    if attention_mask is not None or dropout:
        raise ModelError("the model passes a mask or dropout of its own to attention; it cannot be run faithfully")
    current.window_given |= scoring.window is not None
    local = scoring.window is not None and scoring.window < current.longest
    current.meter.layers.add(module.layer_idx)
    if local:
        current.meter.local_layers.add(module.layer_idx)
    policy = current.policy
    if current.phase == "prefill" and policy.kv is not None and not local:
        _drop(current, policy.kv, module.layer_idx, query, key, scoring)
    if current.phase == "prefill" and policy.prefill is not None and not local:
        return _sparse_prefill(current, policy.prefill, module.layer_idx, query, key, value, scoring), None
    if current.phase == "decode" and (policy.decode is not None or policy.kv is not None) and not local:
        return _sparse_decode(current, module.layer_idx, query, key, value, scoring), None
    out, backend = dense.attend(query, key, value, current.starts, scoring)
    current.backends.add(f"dense {backend}")
    return out, None


def _sparse_prefill(
    current: Pass, method: PrefillMethod, layer: int, query: Tensor, key: Tensor, value: Tensor, scoring: Scoring
) -> Tensor:
    if current.starts == [0]:
        return _sparse_prompt(current, method, (layer, 0), query[0], key[0], value[0], scoring)[None]
    out = query.new_zeros(query.shape[0], query.shape[2], query.shape[1], value.shape[-1])
    for sequence, start in enumerate(current.starts):
        q, k, v = query[sequence, :, start:], key[sequence, :, start:], value[sequence, :, start:]
        out[sequence, start:] = _sparse_prompt(current, method, (layer, sequence), q, k, v, scoring)
    return out


def _sparse_prompt(
    current: Pass,
    method: PrefillMethod,
    owner: tuple[int, int],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scoring: Scoring,
) -> Tensor:
    """`[length, query heads, value size]` of one unpadded sequence of a layer, what it selected counted."""
    selection = method.select(query, key, scoring.scale)
    out, backend = prefill.attend(query, key, value, selection, scoring)
    current.meter.count("prefill", selection.attended(), selection.loaded())
    current.meter.note("prefill", selection.found)
    if current.evidence is not None:
        current.evidence.prefill(*owner, selection)
    current.backends.add(f"{method.name} {backend}")
    return out.transpose(0, 1)


def _drop(current: Pass, method: KvMethod, layer: int, query: Tensor, key: Tensor, scoring: Scoring) -> None:
    """Settle which of the prompt's tokens later queries of this layer attend."""
    for sequence, start in enumerate(current.starts):
        kept = method.select(query[sequence, :, start:], key[sequence, :, start:], scoring.scale)
        current.retained[layer, sequence] = Retained.of(kept)
        share = kept.double().mean(dim=1)
        current.meter.count("kv", share, share)
        if current.evidence is not None:
            current.evidence.kept(layer, sequence, kept)
    backend = snapkv_backend(query) if isinstance(method, SnapKV) else Backend.PYTORCH
    current.backends.add(f"{method.name} {backend}")


def _sparse_decode(current: Pass, layer: int, query: Tensor, key: Tensor, value: Tensor, scoring: Scoring) -> Tensor:
    method, backend = current.policy.decode, sparse_decode_backend(query, value)
    if isinstance(method, Quest) and current.policy.kv is None and backend is not Backend.PYTORCH:
        pages = current.pages.setdefault(layer, QuestPages())
        attended, listed, count = pages.attend(method, query[:, :, 0], key, value, current.starts, scoring)
        for sequence, start in enumerate(current.starts):
            if current.unfinished[sequence]:
                count_step(current.meter, method, key.shape[2] - start, key.shape[1])
        if current.evidence is not None:
            current.evidence.decode_pages(layer, listed, count, method.page_size, current.unfinished)
        current.backends.add(f"{method.name} {backend}")
        return attended[:, None]
    if method is None and backend is not Backend.PYTORCH:
        current.backends.add(f"decode attention {backend}")
        return _over_what_is_left(current, layer, query, key, value, scoring)
    out = query.new_zeros(query.shape[0], 1, query.shape[1], value.shape[-1])
    for sequence, start in enumerate(current.starts):
        if not current.unfinished[sequence]:
            continue
        q, k, v = query[sequence, :, 0], key[sequence, :, start:], value[sequence, :, start:]
        selection = _tokens(current, (layer, sequence), q, k)
        attend = token_sparse_attention if backend is Backend.PYTORCH else _on_kernel
        out[sequence, 0] = attend(q, k, v, selection, scoring)
    if backend is not Backend.PYTORCH:
        current.backends.add(f"decode attention {backend}")
    return out


def _over_what_is_left(
    current: Pass, layer: int, query: Tensor, key: Tensor, value: Tensor, scoring: Scoring
) -> Tensor:
    """Attention of the whole batch over all that a kv method left, by the kernel."""
    batch = current.retained_batches.get(layer)
    if batch is None:
        batch = RetainedBatch([_retained(current, (layer, sequence)) for sequence in range(len(current.starts))])
        current.retained_batches[layer] = batch
    lengths = [key.shape[2] - start for start in current.starts]
    index, count = batch.lists(lengths[0] - batch.prompts[0].prompt)
    first, tokens = on_device(key.device, tuple(current.starts), tuple(lengths))
    out, _ = sparse_decode_attention(
        query[:, :, 0], key, value, index, count, starts=first, lengths=tokens,
        scale=scoring.scale, window=scoring.window, softcap=scoring.softcap, sinks=scoring.sinks,
    )  # fmt: skip
    return out[:, None]


def _retained(current: Pass, owner: tuple[int, int]) -> Retained:
    retained = current.retained.get(owner)
    if retained is None:
        raise ModelError("a sequence is decoded whose prompt was never read")
    return retained


def _on_kernel(query: Tensor, key: Tensor, value: Tensor, selection: TokenSelection, scoring: Scoring) -> Tensor:
    """`token_sparse_attention` of one sequence, by the kernel."""
    out, _ = sparse_decode_attention(
        query[None], key[None], value[None], selection.tokens[None].int(), selection.count[None].int(),
        scale=scoring.scale, window=scoring.window, softcap=scoring.softcap, sinks=scoring.sinks,
    )  # fmt: skip
    return out[0]


def _tokens(current: Pass, owner: tuple[int, int], query: Tensor, key: Tensor) -> TokenSelection:
    """What one new token attends: all that the kv method left, or what the decode method chooses of it."""
    method = current.policy.decode
    if method is None:
        return _retained(current, owner).cached(key.shape[1])
    if current.policy.kv is None:
        if owner not in current.states:
            current.states[owner] = method.new_state()
        selection = method.select(current.states[owner], query, key)
        cached = torch.full_like(selection.loaded, key.shape[1])
    else:
        left = _retained(current, owner).cached(key.shape[1])
        if owner not in current.states:
            current.states[owner] = [method.new_state() for _ in key]
        selection = select_within(left, method, current.states[owner], query, key)
        cached = left.count
    current.meter.count("decode", selection.count.double() / cached, selection.loaded / cached)
    if current.evidence is not None:
        current.evidence.decode(*owner, selection)
    current.backends.add(f"{method.name} pytorch")
    return selection


def _current() -> Pass:
    current = _active.get()
    if current is None:
        raise ModelError("sparsetol attention was called outside a run of the engine")
    return current


def _scoring(module: Any, query: Tensor, scaling: float | None, extras: dict[str, Any]) -> Scoring:
    unknown = sorted(
        name
        for name, value in extras.items()
        if value is not None
        and value is not False
        and name not in _HARMLESS | {"sliding_window", "softcap", "s_aux", "is_causal"}
    )
    if unknown:
        raise ModelError(f"the model passes {', '.join(unknown)} to attention, which would be ignored; it is not run")
    if extras.get("is_causal") is False or not getattr(module, "is_causal", True):
        raise ModelError("the model's attention is not causal; only decoder-only models are run")
    return Scoring(
        scale=query.shape[-1] ** -0.5 if scaling is None else float(scaling),
        window=extras.get("sliding_window"),
        softcap=extras.get("softcap"),
        sinks=extras.get("s_aux"),
    )
