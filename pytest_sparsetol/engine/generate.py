"""Greedy generation of a left-padded batch under a policy: one prefill, then one token a step."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import DynamicCache

from pytest_sparsetol.engine.attention import Pass, forward_pass
from pytest_sparsetol.engine.load import LoadedModel
from pytest_sparsetol.engine.policy import Policy


@dataclass(frozen=True)
class Generation:
    """One answer.

    Attributes:
        ids: generated tokens, the one that ended the text left out.
        finish: whether the text ended or the budget did.
        steps: decoding steps, each of which computed attention for one new token; the first token costs none, as it
            comes out of prefill.

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


def with_cache(model: Any, cache: DynamicCache) -> dict[str, Any]:
    """The arguments that make `model` use `cache`, under the name that the installed transformers gives it."""
    # `past_key_values` became `cache` in 5.24; the old name warns there.
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    return {name: cache, "use_cache": True}


@torch.inference_mode()
def generate(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], budgets: Sequence[int], policy: Policy
) -> tuple[list[Generation], Pass]:
    """Answer each prompt with its most likely tokens, up to its budget of new tokens, at least 1.

    Sequences are padded on the left to the longest. A finished one stays in the batch, uncounted, so that the batch's
    shape does not depend on the answers.
    """
    longest = max(map(len, prompts))
    starts = [longest - len(prompt) for prompt in prompts]
    filler = loaded.tokenizer.pad_token_id or 0
    ids = torch.tensor(
        [[filler] * start + list(prompt) for start, prompt in zip(starts, prompts, strict=True)], device=loaded.device
    )
    start = torch.tensor(starts, device=loaded.device)[:, None]
    positions = (torch.arange(longest, device=loaded.device)[None] - start).clamp(min=0)
    current = Pass(policy, starts, longest=longest + max(budgets))
    ends = end_of_text(loaded)
    cached = with_cache(loaded.model, DynamicCache())
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
