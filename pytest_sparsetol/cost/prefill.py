"""FLOPs of reading a prompt."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_sparsetol.cost.shape import Shape


@dataclass(frozen=True)
class PrefillFlops:
    """FLOPs of one prompt, a multiply-add counted as two.

    Attributes:
        matrices: attention projections, MLP and routers.
        attention: products of queries with keys, and of weights with values.
        selection: products that a method's choice of keys takes.

    """

    matrices: float
    attention: float
    selection: float

    @property
    def total(self) -> float:
        """Attention and MLP."""
        return self.matrices + self.attention + self.selection


def prefill_flops(shape: Shape, length: int, kept: float = 1.0, scored: float = 0.0) -> PrefillFlops:
    """FLOPs of a prompt of `length` tokens.

    `2 M L + sum over layers of 2 h (d_k + d_v) P`: M elements of the matrices that a token meets (of experts those
    that it is sent to), L tokens, h query heads with keys of d_k and values of d_v channels, P pairs of query and key:
    `kept L (L + 1) / 2`, or all pairs inside the window of a layer whose window is shorter than the prompt. A method's
    selection adds `2 h d_k scored` in each of the other layers.

    Source: Eq. 3 of The Sparse Frontier, arXiv 2504.17768, where sparsity acts on the products of queries, keys and
    values alone, and projections are paid in full. (The attention shares that the paper states, 40 to 80 %, count the
    projections as attention; by the equation itself they are 29 to 76 %.) Departures: pairs are the causal ones, as
    sparsity is a share of those and kernels skip the others, where the paper counts all L^2; its 3 FLOPs a pair for the
    softmax and 1 an activation are left out, and so are embedding and output head, which are neither attention nor MLP.

    Args:
        shape: of the model.
        length: tokens of the prompt.
        kept: share of the causal pairs that is computed: 1 - the loaded sparsity that a cell measured.
        scored: pairs of a query head whose products selection computes.

    """
    active = shape.matrices + shape.expert_matrices * shape.active / shape.experts
    pair = 2 * shape.query_heads * (shape.key_size + shape.value_size)
    pairs, selecting = 0.0, 0
    for layer, window in enumerate(shape.windows):
        if window is not None and shape.is_local(layer, length):
            pairs += _within(window, length)
        else:
            pairs += kept * _within(length, length)
            selecting += 1
    return PrefillFlops(
        matrices=2 * active * length,
        attention=pair * pairs,
        selection=2 * shape.query_heads * shape.key_size * scored * selecting,
    )


def _within(window: int, length: int) -> float:
    """Causal pairs that are less than `window` tokens apart."""
    return window * (window + 1) / 2 + (length - window) * window
