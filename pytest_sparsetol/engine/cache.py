"""A cache of keys and values with room to grow: a decoding step writes its token in place.

The library's own cache copies all keys and values of a layer at each step, which at long prompts takes longer than the
attention over them.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 256
"""Tokens beyond those at hand that a buffer is made for, once a first token is added to a prompt."""


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # transformers leaves its hook untyped
    """Keys and values of one layer, `[batch, key heads, length, size]`: views of buffers that hold more tokens."""

    _buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Add tokens; what was returned before stays valid."""
        if self.get_seq_length() == 0 or self.keys is None or self.values is None:
            return super().update(key_states, value_states, *args, **kwargs)
        begin = self.get_seq_length()
        end = begin + key_states.shape[2]
        if self._buffers is None or self._buffers[0].shape[2] < end:
            self._buffers = (_with_room(self.keys, end), _with_room(self.values, end))
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, begin:end] = states
        self.keys, self.values = (buffer[:, :, :end] for buffer in self._buffers)
        return self.keys, self.values


class GrowingCache(DynamicCache):
    """A cache whose layers have room to grow."""

    def __init__(self) -> None:
        Cache.__init__(self, layer_class_to_replicate=GrowingLayer)


def _with_room(states: Tensor, length: int) -> Tensor:
    batch, heads, present, size = states.shape
    buffer = states.new_empty(batch, heads, length + ROOM, size)
    buffer[:, :, :present] = states
    return buffer
