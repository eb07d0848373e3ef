"""A method of one's own: keep the cached tokens whose keys are shortest (Devoto et al. 2024, arXiv 2406.11430)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_sparsetol.methods import KvMethod, register_method

if TYPE_CHECKING:
    from torch import Tensor


@register_method
@dataclass(frozen=True)
class ShortKeys(KvMethod):
    """Per key head, the last `local` tokens and those whose keys have the smallest norm; ties go to the earlier one."""

    name: ClassVar[str] = "short_keys"

    local: int = 16

    def reach(self, length: int) -> float:
        """What the last tokens leave."""
        return 1 - min(self.local, length) / length

    def select(self, query: Tensor, key: Tensor, scale: float) -> Tensor:  # noqa: ARG002  # see below
        """Longer keys go; `query` and `scale` are not read."""
        import torch  # here, so that collecting a contract does not load it

        norm = key.float().norm(dim=-1)
        norm[:, -self.local :] = -1.0
        order = norm.sort(dim=-1, stable=True).indices[:, : self.least_kept(key.shape[1])]
        return torch.zeros_like(norm, dtype=torch.bool).scatter(1, order, value=True)
