"""Windows that shrink with short prompts, so that what is always kept leaves room for the declared sparsity."""

from __future__ import annotations

FULL_LENGTH = 4096
"""Prompt tokens from which on the papers' windows are used as they are."""


def scaled(tokens: int, length: int) -> int:
    """`tokens` at `FULL_LENGTH` and beyond, in proportion below it, at least 1."""
    return max(1, min(tokens, tokens * length // FULL_LENGTH))
