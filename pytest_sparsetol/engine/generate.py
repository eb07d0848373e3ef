"""Greedy generation of a left-padded batch under a policy: one prefill, then one token a step."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import Cache

from pytest_sparsetol.engine.attention import Pass, forward_pass
from pytest_sparsetol.engine.cache import GrowingCache
from pytest_sparsetol.engine.evidence import EvidenceRecall
from pytest_sparsetol.engine.load import LoadedModel
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.engine.prompt import Places
from pytest_sparsetol.errors import ModelError


@dataclass(frozen=True)
class Generation:
    """One answer.

    Attributes:
        ids: generated tokens, the one that ended the text left out.
        finish: whether the text ended or the budget did.
        steps: decoding steps, each of which computed attention for one new token. The answer's first token costs none,
            as it comes out of prefill; where the question is decoded, each of its tokens is a step.

    """

    ids: list[int]
    finish: Literal["stop", "length"]
    steps: int


def end_of_text(loaded: LoadedModel) -> frozenset[int]:
    """Token ids that end an answer, from the generation config; its sampling settings are not used."""
    for holder in (loaded.model.generation_config, loaded.model.config, loaded.tokenizer):
        ids = getattr(holder, "eos_token_id", None)
        if ids is not None:
            return frozenset(ids if isinstance(ids, list) else [ids])
    return frozenset()


def with_cache(model: Any, cache: Cache) -> dict[str, Any]:
    """The arguments that make `model` use `cache`, under the name that the installed transformers gives it."""
    # `past_key_values` became `cache` in 5.24; the old name warns there.
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    return {name: cache, "use_cache": True}


@torch.inference_mode()
def generate(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    budgets: Sequence[int],
    policy: Policy,
    places: Sequence[Places | None] = (),
) -> tuple[list[Generation], Pass]:
    """Answer each prompt with its most likely tokens, up to its budget of new tokens, at least 1.

    Sequences are padded on the left to the longest. A finished one stays in the batch, uncounted, so that the batch's
    shape does not depend on the answers. Under a policy from the question on, what is left of a prompt is fed token by
    token, and a sequence whose question is over answers while others are still being asked.

    Args:
        loaded: the model.
        prompts: token ids.
        budgets: most new tokens of each answer.
        policy: what each phase does.
        places: of each prompt, for a policy that acts from the question on and for evidence recall.

    Raises:
        ModelError: the policy acts from the question on, and a prompt's place of it is not known.

    """
    places = places or [None] * len(prompts)
    lengths = list(map(len, prompts))
    read = list(map(_before_question, prompts, places)) if policy.from_question else lengths
    unread = [deque(prompt[end:]) for prompt, end in zip(prompts, read, strict=True)]
    longest = max(read)
    starts = [longest - end for end in read]
    filler = loaded.tokenizer.pad_token_id or 0
    ids = torch.tensor(
        [[filler] * start + list(prompt[:end]) for start, prompt, end in zip(starts, prompts, read, strict=True)],
        device=loaded.device,
    )
    start = torch.tensor(starts, device=loaded.device)[:, None]
    positions = (torch.arange(longest, device=loaded.device)[None] - start).clamp(min=0)
    evidence = EvidenceRecall(places, lengths, loaded.device) if any(places) and policy != DENSE else None
    current = Pass(policy, starts, longest=max(lengths) + max(budgets), evidence=evidence)
    ends = end_of_text(loaded)
    cached = with_cache(loaded.model, GrowingCache())
    answers: list[list[int]] = [[] for _ in prompts]
    stopped = [False] * len(prompts)
    steps = [0] * len(prompts)
    while True:
        with forward_pass(current):
            logits = loaded.model(input_ids=ids, position_ids=positions, logits_to_keep=1, **cached).logits
        ids = logits[:, -1:].argmax(dim=-1)
        for sequence, token in enumerate(ids[:, 0].tolist()):
            if not current.unfinished[sequence]:
                continue
            steps[sequence] += current.phase == "decode"
            if unread[sequence]:
                ids[sequence, 0] = unread[sequence].popleft()
                continue
            stopped[sequence] = token in ends
            if not stopped[sequence]:
                answers[sequence].append(token)
            current.unfinished[sequence] = not stopped[sequence] and len(answers[sequence]) < budgets[sequence]
        if not any(current.unfinished):
            break
        current.phase = "decode"
        positions = positions[:, -1:] + 1
    return [
        Generation(answer, "stop" if stop else "length", step)
        for answer, stop, step in zip(answers, stopped, steps, strict=True)
    ], current


def _before_question(prompt: Sequence[int], place: Places | None) -> int:
    """Tokens of the prompt ahead of the question."""
    if place is None or place.question is None:
        raise ModelError(
            "decode from the question: it is not known where a prompt's question begins; its task must say "
            "(`question` of its draft), and the tokenizer must tell which characters its tokens come from"
        )
    if not 0 < place.question < len(prompt):
        raise ModelError("decode from the question: a prompt has nothing before its question")
    return place.question
