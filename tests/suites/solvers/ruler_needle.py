"""Reads secret numbers from a message."""

from __future__ import annotations

import re


def solve(message: str) -> list[str]:
    numbers = dict(re.findall(r"The secret number of (\w+) is (\d+)\.", message))
    question = re.findall(r"What (?:is|are) the secret numbers? of (.+)\?", message)[-1]
    return [f"{place}: {numbers[place]}" for place in re.split(r", | and ", question)]
