"""Bytes that a generated token makes a device read."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_sparsetol.cost.shape import Shape


@dataclass(frozen=True)
class DecodeBytes:
    """Bytes read for one token of one sequence.

    Attributes:
        weights: matrices of attention and MLP, the sequence's share of a step's one reading.
        cache: keys and values.

    """

    weights: float
    cache: float

    @property
    def total(self) -> float:
        """Attention and MLP."""
        return self.weights + self.cache


def decode_bytes(shape: Shape, cached: int, batch: int = 1, kept: float = 1.0) -> DecodeBytes:
    """Bytes of a token that is generated after `cached` tokens, where `batch` sequences are decoded together.

    `e (M + (1 - (1 - k / E)^B) X) / B + sum over layers of e n (d_k + d_v) T`: e bytes an element, M elements of the
    matrices, X of all E experts, of which B tokens that are sent to k of them at random meet that share; n key heads
    with keys of d_k and values of d_v channels, and T cached tokens that are read: `kept` of them, or those inside the
    window of a layer whose window is shorter. A step reads weights once, whatever the batch.

    Source: the decode cost of The Sparse Frontier, arXiv 2504.17768, with the matrices as they are: its printed
    `4 d^2` for projections counts every head's own keys, the shares that it states fit shared ones. Departures: the
    output head is left out, as it is neither attention nor MLP; the paper plots batch 64, where the cache weighs 64
    times as much against the weights as at batch 1.

    Args:
        shape: of the model.
        cached: tokens in the cache.
        batch: sequences of a step.
        kept: share of the cached tokens that is read, selection data included: 1 - the loaded sparsity of a cell.

    """
    met = 1 - (1 - shape.active / shape.experts) ** batch
    tokens = sum(
        window if window is not None and shape.is_local(layer, cached) else kept * cached
        for layer, window in enumerate(shape.windows)
    )
    return DecodeBytes(
        weights=shape.element_size * (shape.matrices + met * shape.expert_matrices) / batch,
        cache=shape.element_size * shape.key_heads * (shape.key_size + shape.value_size) * tokens,
    )
