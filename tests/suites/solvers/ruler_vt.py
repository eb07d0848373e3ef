"""Follows assignments from the asked value."""

from __future__ import annotations

import re


def solve(message: str) -> list[str]:
    asked = re.findall(r"hold the value (\d+)\?", message)[-1]
    followers = {source: name for name, source in re.findall(r"Let (\w+) = (\w+)\.", message)}
    held = []
    while asked in followers:
        asked = followers[asked]
        held.append(asked)
    return held
