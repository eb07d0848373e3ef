"""Where the sequences of a batch lie in their cache."""

from __future__ import annotations

from torch import Tensor

from sparsetol_kernels.errors import InputError


def check_sequences(operation: str, starts: Tensor, lengths: Tensor, capacity: int, least: int) -> None:
    """Raise `InputError` unless each sequence has `least` tokens or more, all within the cache.

    It reads both back to the host, and is for SPARSETOL_KERNELS_DEBUG=1.
    """
    for sequence, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        if start < 0 or length < least or start + length > capacity:
            raise InputError(
                f"{operation}: sequence {sequence} starts at {start} and has {length} tokens, which must be at least "
                f"{least} and lie within the cache's {capacity}"
            )
