"""Small data sets for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_TEXT = "the old mill by the river was bought for nine coins in spring and sold again after the long winter"
_WORDS = _TEXT.split()


def context(number: int, words: int = 80) -> str:
    """A text of about so many words that holds `Secret <number> is lamp <number>.` in its middle."""
    filler = [_WORDS[(number + place) % len(_WORDS)] for place in range(words)]
    half = words // 2
    return f"{' '.join(filler[:half])}. Secret {number} is lamp {number}. {' '.join(filler[half:])} {number}."


def question(number: int, **changes: Any) -> dict[str, Any]:
    """A record in the fields of SQuAD; fields that are changed to `...` are left out."""
    record = {
        "id": f"r{number}",
        "title": f"Text_{number}",
        "context": context(number),
        "question": f"What is secret {number}?",
        "answers": [f"lamp {number}"],
        **changes,
    }
    return {name: value for name, value in record.items() if value is not ...}


def chain(number: int, **changes: Any) -> dict[str, Any]:
    """A record that needs the second and the fourth of its four paragraphs."""
    paragraphs = [
        {"title": f"P {number} {place}", "text": context(10 * number + place, 40), "gold": place in (1, 3)}
        for place in range(4)
    ]
    record = {
        "id": f"c{number}",
        "question": f"Whose {number}?",
        "answers": [f"lamp {number}"],
        "paragraphs": paragraphs,
    }
    return {**record, **changes}


def write(path: Path, records: Iterable[Mapping[str, Any] | str]) -> Path:
    """A JSON Lines file; texts are written as they are."""
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path
