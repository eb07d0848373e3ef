"""Checks of a prefill method."""

from __future__ import annotations

import torch
from sparsetol_kernels.selection import PrefillSelection
from torch import Tensor

from pytest_sparsetol.engine.attention import Pass
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.methods.base import PrefillMethod
from pytest_sparsetol.testing.agreement import Checks, attend, causal, naive, padded, same_selection
from pytest_sparsetol.testing.cases import Case


class PrefillChecks(Checks[PrefillMethod]):
    """Inherit, set `method`, and define `reference`."""

    def reference(self, method: PrefillMethod, query: Tensor, key: Tensor, scale: float) -> Tensor:
        """Which keys each query attends, by definition: bool `[query heads, length, length]`; arguments as `select`'s.

        The comparison is exact: where scores tie, follow the rule that the method documents, and where nearly tied ones
        could be rounded apart, rank by scores of the method's own precision and test those for themselves.
        """
        raise NotImplementedError

    def measured(self, method: PrefillMethod, length: int) -> float:
        """Share of causal pairs not attended, on average over heads."""
        query, key, _ = Case(length).tensors()
        return 1 - float(method.select(query, key, Case(length).scale).attended().mean())

    def test_the_selection_is_the_reference(self, case: Case) -> None:
        """Query by query and key by key."""
        method = self.reachable(case.length)
        query, key, _ = case.tensors()

        selection = method.select(query, key, case.scale)

        same_selection(pairs(selection), self.reference(method, query, key, case.scale), "pairs")

    def test_ties_follow_a_rule(self) -> None:
        """Where all scores are the same, the reference knows which are taken."""
        case = Case(333, key_heads=2)
        method = self.reachable(case.length)
        query, key = (torch.zeros_like(part) for part in case.tensors()[:2])

        selection = method.select(query, key, case.scale)

        same_selection(pairs(selection), self.reference(method, query, key, case.scale), "pairs")

    def test_the_output_is_attention_over_the_selection(self, case: Case) -> None:
        """And over nothing else."""
        method = self.reachable(case.length)
        query, key, value = case.tensors()

        out = attend(Pass(Policy(method), [0], case.length), query[None], key[None], value[None], case.scale)

        seen = pairs(method.select(query, key, case.scale))
        expected = naive(query, key, value, seen, case.scale)
        torch.testing.assert_close(out[0].double(), expected, atol=case.tolerance, rtol=case.tolerance)

    def test_padding_on_the_left_changes_nothing(self, batch: tuple[int, ...]) -> None:
        """Each prompt of a batch comes out as it does alone, with NaN where others are longer."""
        longest = max(batch)
        method = self.reachable(longest)
        cases = [Case(length, key_heads=2) for length in batch]
        query, key, value = zip(*(case.tensors(seed) for seed, case in enumerate(cases)), strict=True)
        starts = [longest - length for length in batch]

        together = attend(
            Pass(Policy(method), starts, longest),
            padded(query, longest),
            padded(key, longest),
            padded(value, longest),
            cases[0].scale,
        )

        for row, case in enumerate(cases):
            one = Pass(Policy(method), [0], longest)
            alone = attend(one, query[row][None], key[row][None], value[row][None], case.scale)
            torch.testing.assert_close(together[row, :, starts[row] :], alone[0], atol=1e-6, rtol=1e-6)

    def test_sparsity_zero_attends_every_causal_key(self, case: Case) -> None:
        """So that it reproduces dense attention."""
        query, key, _ = case.tensors()

        selection = self.configured(0.0).select(query, key, case.scale)

        same_selection(pairs(selection), causal(case.length).expand(query.shape[0], -1, -1), "pairs")

    def test_no_block_selects_keys_after_it(self, case: Case) -> None:
        """Kernels mask the diagonal block alone."""
        query, key, _ = case.tensors()

        selection = self.reachable(case.length).select(query, key, case.scale)

        last = torch.arange(1, selection.keys.shape[1] + 1)[:, None] * selection.block
        late = selection.keys & (torch.arange(case.length) >= last)
        same_selection(late, torch.zeros_like(late), "keys")


def pairs(selection: PrefillSelection) -> Tensor:
    """The matrix that a selection means: bool `[query heads, length, length]`."""
    length = selection.keys.shape[2]
    return selection.keys.repeat_interleave(selection.block, dim=1)[:, :length] & causal(length)
