"""From a user's message to token ids, the same on every day and machine."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

FROZEN_DATE = datetime.datetime(2026, 1, 1)  # a label in prompts, not a moment
"""What chat templates see as today: a template that prints the date would change every prompt's hash daily."""


def _frozen_strftime(form: str) -> str:
    return FROZEN_DATE.strftime(form)


class ChatPrompt:
    """Renders messages through a tokenizer's chat template, where it has one, and counts tokens for the suites.

    Args:
        tokenizer: of the transformers library.
        template_kwargs: the contract's `chat_template_kwargs`.

    """

    def __init__(self, tokenizer: Any, template_kwargs: dict[str, Any]) -> None:
        self._tokenizer = tokenizer
        self._kwargs = {
            "strftime_now": _frozen_strftime,
            "date_string": _frozen_strftime("%d %b %Y"),
            **template_kwargs,
        }

    def encode(self, message: str) -> list[int]:
        """Token ids of the whole prompt made of one user message."""
        if not self._tokenizer.chat_template:
            return list(self._tokenizer(message, verbose=False)["input_ids"])
        text = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": message}], tokenize=False, add_generation_prompt=True, **self._kwargs
        )
        # The template writes its own special tokens.
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def prompt(self, message: str) -> int:
        """Tokens of the whole prompt made of one user message."""
        return len(self.encode(message))

    def count(self, text: str) -> int:
        """Tokens of `text` alone."""
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def fingerprint(self) -> str:
        """SHA-256 of what turns messages into ids: vocabulary, template and its arguments."""
        digest = hashlib.sha256()
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        vocabulary = backend.to_str() if backend is not None else repr(sorted(self._tokenizer.get_vocab().items()))
        given = {key: value for key, value in self._kwargs.items() if key != "strftime_now"}
        for part in (vocabulary, str(self._tokenizer.chat_template), repr(sorted(given.items()))):
            digest.update(part.encode() + b"\0")
        return digest.hexdigest()


def prompt_hash(ids: list[int]) -> str:
    """First 16 hex digits of the SHA-256 of the ids, written in decimal with commas."""
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:16]
