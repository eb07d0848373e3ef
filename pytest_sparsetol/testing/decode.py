"""Checks of a decode method."""

from __future__ import annotations

import torch
from torch import Tensor

from pytest_sparsetol.engine.attention import Pass
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.methods.base import DecodeMethod
from pytest_sparsetol.testing.agreement import Checks, attend, naive, padded, same_selection
from pytest_sparsetol.testing.cases import Case

STEPS = 16
"""Decoding steps that sparsity is measured over, and that a state grows by."""


class DecodeChecks(Checks[DecodeMethod]):
    """Inherit, set `method`, and define `reference`."""

    def reference(self, method: DecodeMethod, query: Tensor, key: Tensor) -> Tensor:
        """Which cached tokens a new token attends, by definition: bool `[key heads, length]`; arguments as `select`'s.

        The comparison is exact: where scores tie, follow the rule that the method documents, and where nearly tied ones
        could be rounded apart, rank by scores of the method's own precision and test those for themselves.
        """
        raise NotImplementedError

    def measured(self, method: DecodeMethod, length: int) -> float:
        """Share of cached tokens not attended, on average over steps and heads."""
        query, key, _ = Case(length + STEPS).tensors()
        state, shares = method.new_state(), []
        for seen in range(length + 1, length + STEPS + 1):
            selection = method.select(state, query[:, seen - 1], key[:, :seen])
            shares.append(1 - float(selection.count.double().mean()) / seen)
        return sum(shares) / len(shares)

    def test_the_selection_is_the_reference(self, case: Case) -> None:
        """Token by token, with a state that has grown step by step."""
        method = self.reachable(case.length)
        query, key, _ = case.tensors()
        state = method.new_state()
        for seen in range(max(1, case.length - STEPS), case.length + 1):
            found = chosen(method, state, query[:, seen - 1], key[:, :seen])

        same_selection(found, self.reference(method, query[:, -1], key), "tokens")

    def test_ties_follow_a_rule(self) -> None:
        """Where all scores are the same, the reference knows which are taken."""
        case = Case(333, key_heads=2)
        method = self.reachable(case.length)
        query, key = (torch.zeros_like(part) for part in case.tensors()[:2])

        found = chosen(method, method.new_state(), query[:, -1], key)

        same_selection(found, self.reference(method, query[:, -1], key), "tokens")

    def test_the_output_is_attention_over_the_selection(self, case: Case) -> None:
        """And over nothing else: values that were not chosen are NaN."""
        method = self.reachable(case.length)
        query, key, value = case.tensors()
        seen = chosen(method, method.new_state(), query[:, -1], key)
        value[~seen] = float("nan")

        current = Pass(Policy(decode=method), [0], case.length, phase="decode")
        out = attend(current, query[None, :, -1:], key[None], value[None], case.scale)

        rows = seen.repeat_interleave(case.group, dim=0)[:, None]
        expected = naive(query[:, -1:], key, value.nan_to_num(0.0), rows, case.scale)
        torch.testing.assert_close(out[0].double(), expected, atol=case.tolerance, rtol=case.tolerance)

    def test_padding_on_the_left_changes_nothing(self, batch: tuple[int, ...]) -> None:
        """Each sequence of a batch comes out as it does alone, with NaN where others are longer."""
        longest = max(batch)
        method = self.reachable(longest)
        cases = [Case(length, key_heads=2) for length in batch]
        query, key, value = zip(*(case.tensors(seed) for seed, case in enumerate(cases)), strict=True)
        starts = [longest - length for length in batch]
        current = Pass(Policy(decode=method), starts, longest, phase="decode")

        together = attend(
            current,
            torch.stack([part[:, -1:] for part in query]),
            padded(key, longest),
            padded(value, longest),
            cases[0].scale,
        )

        for row, case in enumerate(cases):
            one = Pass(Policy(decode=method), [0], longest, phase="decode")
            alone = attend(one, query[row][None, :, -1:], key[row][None], value[row][None], case.scale)
            torch.testing.assert_close(together[row], alone[0], atol=1e-6, rtol=1e-6)

    def test_sparsity_zero_attends_every_token(self, case: Case) -> None:
        """So that it reproduces dense attention."""
        query, key, _ = case.tensors()
        method = self.configured(0.0)

        found = chosen(method, method.new_state(), query[:, -1], key)

        same_selection(found, torch.ones_like(found), "tokens")


def chosen(method: DecodeMethod, state: object, query: Tensor, key: Tensor) -> Tensor:
    """What a method selects, as bool `[key heads, length]`."""
    selection = method.select(state, query, key)
    found = torch.zeros(key.shape[:2], dtype=torch.bool)
    for head in range(key.shape[0]):
        found[head, selection.tokens[head, : selection.count[head]]] = True
    return found
