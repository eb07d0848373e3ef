"""Muon for the matrices and AdamW for the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


def orthogonal(matrices: Tensor) -> Tensor:
    """Each matrix with its singular values brought near 1, by Newton-Schulz iteration in bfloat16."""
    a, b, c = _COEFFICIENTS
    x: Tensor = matrices.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


class Muon:
    """Momentum whose update is made orthogonal, for matrices; AdamW for vectors and the embedding.

    Source: Jordan et al. 2024, Muon; the update is scaled to the size of AdamW's as in Liu et al. 2025,
    arXiv 2502.16982, so that one learning rate serves both. A step can be recorded as a CUDA graph: gradients stay
    where they are, and the rate is a tensor.

    Args:
        matrices: hidden layers' weights.
        others: all other parameters.
        largest: root mean square of the elements that no matrix exceeds. Without it the query and key matrices grow
            until attention is all or nothing everywhere and learns no more; models with normalised queries and keys
            are spared that, Llama is not.
        compiled: whether the iteration is compiled.

    """

    def __init__(
        self, matrices: Sequence[Tensor], others: Sequence[Tensor], *, largest: float = 0.06, compiled: bool = True
    ) -> None:
        shapes: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
        for matrix in matrices:
            shapes[tuple(matrix.shape)].append(matrix)
        self._groups = list(shapes.values())
        self._momenta = [torch.zeros(len(group), *group[0].shape, device=group[0].device) for group in self._groups]
        self._orthogonal: Callable[[Tensor], Tensor] = (
            torch.compile(orthogonal, dynamic=False) if compiled else orthogonal
        )
        self._largest = largest
        device = others[0].device
        self.rate = torch.zeros((), device=device)
        cuda = device.type == "cuda"
        self._adam = torch.optim.AdamW(
            others, lr=self.rate if cuda else 0.0, betas=(0.9, 0.95), weight_decay=0.0, fused=cuda, capturable=cuda
        )

    @torch.no_grad()
    def step(self) -> None:
        """Update all parameters at the rate."""
        for group, momentum in zip(self._groups, self._momenta, strict=True):
            gradient = torch.stack([parameter.grad for parameter in group if parameter.grad is not None])
            momentum.lerp_(gradient, 0.05)
            update = self._orthogonal(gradient.lerp(momentum, 0.95)).float()
            scale = 0.2 * max(momentum.shape[-2:]) ** 0.5
            change = update * (-scale * self.rate)
            torch._foreach_add_(group, list(change.unbind()))
            norms = torch.stack(torch._foreach_norm(group))
            limit = self._largest * momentum[0].numel() ** 0.5
            torch._foreach_mul_(group, list((limit / norms).clamp(max=1).unbind()))
        if not self.rate.is_cuda:
            for entry in self._adam.param_groups:
                entry["lr"] = float(self.rate)
        self._adam.step()
