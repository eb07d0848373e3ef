"""Sentences that say nothing, to put facts among. They use no word that can be an answer."""

from __future__ import annotations

from collections.abc import Mapping

NOISE = (
    "The day is long.",
    "People come and go.",
    "It rains a little.",
    "Time passes slowly.",
    "Nothing new happens.",
)
"""Repeated in turn."""


def among_noise(sentences: Mapping[int, str], slots: int) -> tuple[str, dict[int, tuple[int, int]]]:
    """A text of `slots` sentences: the given ones at their slots, noise elsewhere.

    Returns:
        The text, and first character and end of each given sentence by its slot.

    """
    parts: list[str] = []
    spans: dict[int, tuple[int, int]] = {}
    position = filled = 0
    for slot in range(slots):
        if slot in sentences:
            parts.append(sentences[slot])
            spans[slot] = (position, position + len(sentences[slot]))
        else:
            parts.append(NOISE[filled % len(NOISE)])
            filled += 1
        position += len(parts[-1]) + 1
    return " ".join(parts), spans
