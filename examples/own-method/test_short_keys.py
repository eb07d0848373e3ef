"""The tests that every method must pass, on this one; its definition, slow and plain, is all that they need."""

from conftest import ShortKeys
from torch import Tensor, stack, tensor

from pytest_sparsetol.testing import KvChecks


class TestShortKeys(KvChecks):
    """One test for each check and case of the shared matrix."""

    method = ShortKeys

    def reference(self, method: ShortKeys, query: Tensor, key: Tensor, scale: float) -> Tensor:  # noqa: ARG002  # unread
        """Which tokens stay, by sorting."""
        kept = []
        for head in key.float():
            length = len(head)
            norms = head.norm(dim=-1).tolist()
            last = range(length - method.local, length)
            ranked = sorted(range(length), key=lambda token: (token not in last, norms[token], token))
            best = set(ranked[: round(method.kept * length)])
            kept.append(tensor([token in best for token in range(length)]))
        return stack(kept)
