"""The methods that contracts can name: one line each."""

from __future__ import annotations

from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from pytest_sparsetol.methods.base import PHASES, Method, Phase
from pytest_sparsetol.methods.block_sparse import BlockSparse
from pytest_sparsetol.methods.flexprefill import FlexPrefill
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.sliding_window import SlidingWindow
from pytest_sparsetol.methods.snapkv import SnapKV
from pytest_sparsetol.methods.vertical_slash import VerticalSlash

METHODS: dict[str, type[Method]] = {
    "ada_snapkv": AdaSnapKV,
    "block_sparse": BlockSparse,
    "flexprefill": FlexPrefill,
    "quest": Quest,
    "sliding_window": SlidingWindow,
    "snapkv": SnapKV,
    "vertical_slash": VerticalSlash,
}


def methods_for(phase: Phase) -> dict[str, type[Method]]:
    """The methods that act in `phase`, by name."""
    return {name: method for name, method in METHODS.items() if method.phase == phase}


__all__ = ["METHODS", "PHASES", "methods_for"]
