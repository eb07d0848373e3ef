"""Prompt lengths as people write them: `2k` is 2,048 tokens."""

from __future__ import annotations

import re

LARGEST = 1 << 24


def parse_length(value: object) -> int:
    """Tokens meant by `value`, a whole number or a text such as `1k`; 1k is 1,024 tokens.

    Raises `ValueError` for anything else, or outside 16 to 16,777,216 tokens.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{value!r} is not a length; write tokens (1000) or thousands of 1,024 (1k)")
    if isinstance(value, int):
        tokens = value
    else:
        match = re.fullmatch(r"([0-9]+)(k?)", value.strip(), flags=re.ASCII | re.IGNORECASE)
        if match is None:
            raise ValueError(f"{value!r} is not a length; write tokens (1000) or thousands of 1,024 (1k)")
        tokens = int(match[1]) * (1024 if match[2] else 1)
    if not 16 <= tokens <= LARGEST:
        raise ValueError(f"{value!r} is not a length between 16 and {LARGEST} tokens")
    return tokens


def show_length(tokens: int) -> str:
    """`2k` for 2,048 tokens, `1000` for 1,000."""
    return f"{tokens // 1024}k" if tokens % 1024 == 0 else str(tokens)
