"""From a user's message to token ids, the same on every day and machine."""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sparsetol_suites.item import Fact, Item

from pytest_sparsetol.errors import ModelError

_FROZEN = {
    "%Y": "2026", "%y": "26", "%m": "01", "%d": "01", "%B": "January", "%b": "Jan", "%A": "Thursday", "%a": "Thu",
    "%j": "001", "%H": "00", "%I": "12", "%M": "00", "%S": "00", "%p": "AM",
}  # fmt: skip
"""1 January 2026 by the directives that templates use: a template that prints today would change every prompt daily."""

_FROZEN_CLOCK = (
    "{%- macro strftime_now(format) -%}{{ format"
    + "".join(f" | replace('{directive}', '{text}')" for directive, text in _FROZEN.items())
    + " }}{%- endmacro -%}"
)
"""Put before a template, this macro stands in for the library's clock of the same name."""


@dataclass(frozen=True)
class Places:
    """Where the parts of a prompt stand among its tokens.

    Attributes:
        facts: what the answer needs, in the item's order: first token of each and the token after its last.
        question: first token of the question after the context, None where the task does not say.

    """

    facts: tuple[tuple[int, int], ...]
    question: int | None


class ChatPrompt:
    """Renders messages through a tokenizer's chat template, where it has one, and counts tokens for the suites.

    Args:
        tokenizer: of the transformers library.
        template_kwargs: the contract's `chat_template_kwargs`.

    """

    def __init__(self, tokenizer: Any, template_kwargs: dict[str, Any]) -> None:
        self._tokenizer = tokenizer
        self._template = _FROZEN_CLOCK + tokenizer.get_chat_template() if tokenizer.chat_template else None
        # Some templates take the date as an argument and fall back to the clock.
        self._kwargs = {"date_string": "01 Jan 2026", **template_kwargs}

    def encode(self, message: str) -> list[int]:
        """Token ids of the whole prompt made of one user message."""
        if self._template is None:
            return list(self._tokenizer(message, verbose=False)["input_ids"])
        encoded = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": message}],
            chat_template=self._template,
            add_generation_prompt=True,
            return_dict=True,
            **self._kwargs,
        )
        return list(encoded["input_ids"])

    def token_spans(self, message: str, facts: Sequence[Fact]) -> list[tuple[int, int]]:
        """Where facts of a message stand in its prompt: first token of each and the token after its last.

        Raises `ModelError` where the tokenizer does not tell which characters its tokens come from, or where the
        template changes the message.
        """
        text, begin = message, 0
        if self._template is not None:
            text = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": message}],
                chat_template=self._template,
                add_generation_prompt=True,
                tokenize=False,
                **self._kwargs,
            )
            begin = text.find(message)
        if not self._tokenizer.is_fast or begin < 0:
            raise ModelError("the tokenizer and chat template do not tell where the message's facts stand")
        # Templates write their own special tokens.
        encoded = self._tokenizer(
            text, add_special_tokens=self._template is None, return_offsets_mapping=True, verbose=False
        )
        ends = [end for _, end in encoded["offset_mapping"]]
        starts = [start for start, _ in encoded["offset_mapping"]]
        return [
            (bisect.bisect_right(ends, fact.start + begin), bisect.bisect_left(starts, fact.end + begin))
            for fact in facts
        ]

    def places(self, item: Item) -> Places | None:
        """Where an item's facts and its question stand, None where tokenizer and template do not tell."""
        asked = [] if item.question is None else [Fact(item.question, item.question + 1)]
        try:
            spans = self.token_spans(item.prompt, [*asked, *item.facts])
        except ModelError:
            return None
        return Places(tuple(spans[len(asked) :]), spans[0][0] if asked else None)

    def prompt(self, message: str) -> int:
        """Tokens of the whole prompt made of one user message."""
        return len(self.encode(message))

    def count(self, text: str) -> int:
        """Tokens of `text` alone."""
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def fingerprint(self) -> str:
        """SHA-256 of what turns messages into ids: vocabulary, template and its arguments."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        vocabulary = backend.to_str() if backend is not None else repr(sorted(self._tokenizer.get_vocab().items()))
        parts = (vocabulary, str(self._template), repr(sorted(self._kwargs.items())))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def prompt_hash(ids: list[int]) -> str:
    """First 16 hex digits of the SHA-256 of the ids, written in decimal with commas."""
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:16]
