"""Reads pairs and asked keys from a message."""

from __future__ import annotations

import re


def solve(message: str) -> list[str]:
    pairs = dict(re.findall(r"^([^:\n.]+): (\S+)$", message, flags=re.MULTILINE))
    single = re.search(r"What is the \w+ of (.+?) in the list\?", message)
    keys = [single[1]] if single else re.findall(r"^\d+\. (.+)$", message.split("\nReply with")[-2], flags=re.MULTILINE)
    return [f"{key}: {pairs[key]}" for key in keys]
