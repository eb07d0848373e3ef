"""Sparse-attention methods, one file each, and their registry. Importing this package does not import torch.

A method of one's own is a frozen dataclass under `PrefillMethod`, `KvMethod` or `DecodeMethod`; `register_method` or an
entry point of the group `sparsetol.methods` lets contracts name it, and `pytest_sparsetol.testing` tests it.
"""

from pytest_sparsetol.methods.base import DecodeMethod, KvMethod, PrefillMethod
from pytest_sparsetol.methods.registry import register_method

__all__ = ["DecodeMethod", "KvMethod", "PrefillMethod", "register_method"]
