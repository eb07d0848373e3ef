"""Reads pairs and asked keys from a message."""

from __future__ import annotations

import re


def solve(message: str) -> list[str]:
    pairs = dict(re.findall(r"^([^:\n.]+): ([\w-]*[^\W_])$", message, flags=re.MULTILINE))
    asked = message.split("\nReply with")[-2].split("in the list?\n")[-1]
    keys = re.findall(r"^(?:\d+\. )?(.+): ___$", asked, flags=re.MULTILINE)
    return [f"{key}: {pairs[key]}" for key in keys]
