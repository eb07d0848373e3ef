"""Reads pairs and asked keys from a message."""

from __future__ import annotations

import re


def solve(message: str) -> list[str]:
    pairs = dict(re.findall(r"^([^:\n.]+): (\S+)$", message, flags=re.MULTILINE))
    asked = message.rsplit("Reply with the completed line", 1)[1].split("\n")[1:]
    keys = [re.sub(r"^\d+\. ", "", line).removesuffix(":") for line in asked]
    return [f"{key}: {pairs[key]}" for key in keys]
