"""Evidence recall: how much of what an answer needs the policy left to the queries that produce it.

For a fact `f` of an item, a head `h` of a layer `l`, and the queries `Q` that produce the answer,

    recall(f, l, h) = mean over q in Q and t in f of [ t is selected for q ]

with `t` over the fact's tokens. Prefill's `Q` are the prompt's rows from the question on (its last row where the task
does not say where that is), decoding's are the steps; a kv method decides once for all later queries. A decode method
beneath a kv method has lost what that dropped. Heads are query heads in prefill, key heads else; layers that stay dense
within their window have no part. A policy that reads no content recalls about 1 - sparsity.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from sparsetol_kernels.selection import PrefillSelection, TokenSelection
from torch import Tensor

from pytest_sparsetol.engine.device import on_device
from pytest_sparsetol.engine.prompt import Places
from pytest_sparsetol.methods.base import Phase


@dataclass(frozen=True)
class FactRecall:
    """What was left of one fact.

    Attributes:
        depth: where its first token stands, as a share of the prompt.
        mean: recall over all layers and heads.
        best: recall of the head that has most of it.

    """

    depth: float
    mean: float
    best: float


@dataclass(frozen=True)
class _Needed:
    """Facts of one sequence: their tokens, which of these are whose, and how many each has.

    int64 `[tokens]`; float32 `[tokens, facts]`, 1 or 0; float32 `[facts]`.
    """

    tokens: Tensor
    member: Tensor
    sizes: Tensor
    depths: list[float]


@dataclass
class EvidenceRecall:
    """Counts for one batch; indexes are those of each sequence's own tokens, padding left out.

    Attributes:
        places: of each prompt's facts and question, None where they are not known.
        lengths: tokens of each whole prompt.
        device: where selections live.

    """

    places: Sequence[Places | None]
    lengths: Sequence[int]
    device: torch.device
    _needed: list[_Needed | None] = field(init=False)
    _sums: dict[tuple[Phase, int, int], Tensor] = field(default_factory=dict)
    """By phase, sequence and layer: how often a needed token was there, `[heads, facts]`."""
    _batch_sums: dict[int, Tensor] = field(default_factory=dict)
    """By layer, of steps that were taken in for the whole batch: `[batch, heads, most facts]`."""
    _counts: dict[tuple[Phase, int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._needed = [self._of(place, length) for place, length in zip(self.places, self.lengths, strict=True)]

    def prefill(self, layer: int, sequence: int, selection: PrefillSelection) -> None:
        """Take in the keys selected for a prompt's rows; nothing where the question is not among them."""
        needed, place = self._needed[sequence], self.places[sequence]
        if needed is None or place is None:
            return
        length, block = selection.length, selection.block
        first = length - 1 if place.question is None else place.question
        if first >= length:
            return
        start = torch.arange(first // block * block, length, block, device=self.device)
        rows = (start + block).clamp(max=length) - start.clamp(min=first)
        chosen = selection.at(first // block, needed.tokens).float()
        self._add("prefill", layer, sequence, torch.einsum("hbn,b->hn", chosen, rows / (length - first)), needed)

    def kept(self, layer: int, sequence: int, kept: Tensor) -> None:
        """Take in what a kv method keeps of a prompt: bool `[key heads, length]`."""
        needed = self._needed[sequence]
        if needed is not None:
            self._add("kv", layer, sequence, kept[:, needed.tokens].float(), needed)

    def decode(self, layer: int, sequence: int, selection: TokenSelection) -> None:
        """Take in the tokens that a step attends."""
        needed = self._needed[sequence]
        if needed is None:
            return
        self._add("decode", layer, sequence, _listed(selection.tokens, selection.count, needed.tokens), needed)

    def decode_pages(self, layer: int, pages: Tensor, count: Tensor, page_size: int, counted: Sequence[bool]) -> None:
        """Take in the pages that a step of each `counted` sequence attends.

        Args:
            layer: the layer.
            pages: int32 `[batch, key heads, most]`, ascending; entries from the count on are never read.
            count: int32 `[batch, key heads]`.
            page_size: tokens of a page.
            counted: of each sequence.

        """
        there = tuple(needed is not None and counts for needed, counts in zip(self._needed, counted, strict=True))
        if not any(there):
            return
        tokens, member = self._of_batch
        shares = _listed(pages, count, (tokens // page_size)[:, None]) @ member
        if not all(there):
            shares *= on_device(self.device, there)[0, :, None, None]
        self._batch_sums[layer] = self._batch_sums[layer] + shares if layer in self._batch_sums else shares
        for owner in (owner for owner, counts in enumerate(there) if counts):
            self._counts["decode", owner, layer] = self._counts.get(("decode", owner, layer), 0) + 1

    def facts(self, sequence: int) -> dict[Phase, list[FactRecall]]:
        """What each phase left of a sequence's facts, in their order; phases that selected nothing are left out."""
        needed = self._needed[sequence]
        if needed is None:
            return {}
        phases: dict[Phase, list[Tensor]] = {}
        for (phase, owner, layer), count in self._counts.items():
            if owner == sequence:
                total = self._sums.get((phase, owner, layer))
                total = self._batch_sums[layer][owner, :, : len(needed.depths)] if total is None else total
                phases.setdefault(phase, []).append(total / (count * needed.sizes))
        return {
            phase: [
                FactRecall(depth, mean, best)
                for depth, mean, best in zip(
                    needed.depths,
                    torch.cat(parts).mean(dim=0).tolist(),
                    torch.cat(parts).amax(dim=0).tolist(),
                    strict=True,
                )
            ]
            for phase, parts in phases.items()
        }

    @functools.cached_property
    def _of_batch(self) -> tuple[Tensor, Tensor]:
        """Needed tokens of all sequences, int32 `[batch, most tokens]`, and whose they are; nobody's where padded."""
        known = [needed for needed in self._needed if needed is not None]
        most_tokens, most_facts = (max(needed.member.shape[way] for needed in known) for way in (0, 1))
        tokens = torch.zeros(len(self._needed), most_tokens, dtype=torch.int32, device=self.device)
        member = torch.zeros(len(self._needed), most_tokens, most_facts, device=self.device)
        for owner, needed in enumerate(self._needed):
            if needed is not None:
                tokens[owner, : len(needed.tokens)] = needed.tokens
                member[owner, : len(needed.tokens), : len(needed.depths)] = needed.member
        return tokens, member

    def _add(self, phase: Phase, layer: int, sequence: int, chosen: Tensor, needed: _Needed) -> None:
        """Take in which needed tokens each head has: float32 `[heads, tokens]`."""
        key = (phase, sequence, layer)
        shares = chosen @ needed.member
        self._sums[key] = self._sums[key] + shares if key in self._sums else shares
        self._counts[key] = self._counts.get(key, 0) + 1

    def _of(self, place: Places | None, length: int) -> _Needed | None:
        if place is None:
            return None
        # Facts that stand in the question itself need no recall.
        end = length if place.question is None else place.question
        spans = [(first, min(last, end)) for first, last in place.facts if first < min(last, end)]
        if not spans:
            return None
        sizes = [last - first for first, last in spans]
        tokens = torch.cat([torch.arange(first, last) for first, last in spans])
        member = torch.eye(len(spans))[[fact for fact, size in enumerate(sizes) for _ in range(size)]]
        return _Needed(
            tokens.to(self.device),
            member.to(self.device),
            torch.tensor(sizes, dtype=torch.float32, device=self.device),
            [first / length for first, _ in spans],
        )


def _listed(entries: Tensor, count: Tensor, wanted: Tensor) -> Tensor:
    """Whether numbers stand in ascending lists: float32 `[..., heads, wanted]`, 1 or 0.

    Args:
        entries: int32 or int64 `[..., heads, most]`; those from the count on are never read.
        count: `[..., heads]`.
        wanted: of the entries' dtype, `[wanted]`, or what can be expanded to `[..., heads, wanted]`.

    """
    most = entries.shape[-1]
    real = torch.arange(most, device=entries.device) < count[..., None]
    listed = entries.where(real, torch.iinfo(entries.dtype).max).contiguous()
    wanted = wanted.expand(*count.shape, -1).contiguous()
    # Where each would stand, and whether it does.
    found = torch.searchsorted(listed, wanted).clamp(max=most - 1)
    return (listed.gather(-1, found) == wanted).float()
