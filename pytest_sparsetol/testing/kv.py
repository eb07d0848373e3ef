"""Checks of a kv method."""

from __future__ import annotations

import torch
from torch import Tensor

from pytest_sparsetol.engine.attention import Pass
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.methods.base import KvMethod
from pytest_sparsetol.testing.agreement import Checks, attend, naive, padded, require, same_selection
from pytest_sparsetol.testing.cases import Case


class KvChecks(Checks[KvMethod]):
    """Inherit, set `method`, and define `reference`."""

    def reference(self, method: KvMethod, query: Tensor, key: Tensor, scale: float) -> Tensor:
        """Which of a prompt's tokens stay, by definition: bool `[key heads, length]`; arguments as `select`'s.

        The comparison is exact: where scores tie, follow the rule that the method documents, and where nearly tied ones
        could be rounded apart, rank by scores of the method's own precision and test those for themselves.
        """
        raise NotImplementedError

    def measured(self, method: KvMethod, length: int) -> float:
        """Share of the prompt's cache entries that are dropped."""
        case = Case(length, key_heads=2)
        query, key, _ = case.tensors()
        return 1 - float(method.select(query, key, case.scale).double().mean())

    def test_the_selection_is_the_reference(self, case: Case) -> None:
        """Token by token."""
        method = self.reachable(case.length)
        query, key, _ = case.tensors()

        kept = method.select(query, key, case.scale)

        same_selection(kept, self.reference(method, query, key, case.scale), "tokens")

    def test_ties_follow_a_rule(self) -> None:
        """Where all scores are the same, the reference knows which stay."""
        case = Case(333, key_heads=2)
        method = self.reachable(case.length)
        query, key = (torch.zeros_like(part) for part in case.tensors()[:2])

        kept = method.select(query, key, case.scale)

        same_selection(kept, self.reference(method, query, key, case.scale), "tokens")

    def test_every_head_keeps_what_decode_methods_count_on(self, case: Case) -> None:
        """`least_kept` is a promise."""
        method = self.reachable(case.length)
        query, key, _ = case.tensors()

        fewest = int(method.select(query, key, case.scale).sum(dim=1).min())

        promised = method.least_kept(case.length)
        require(promised <= fewest, f"least_kept({case.length}) is {promised}, a head keeps {fewest} tokens")

    def test_sparsity_zero_keeps_every_token(self, case: Case) -> None:
        """So that it reproduces dense attention."""
        query, key, _ = case.tensors()

        kept = self.configured(0.0).select(query, key, case.scale)

        same_selection(kept, torch.ones_like(kept), "tokens")

    def test_later_tokens_attend_what_was_kept(self, case: Case) -> None:
        """And themselves; keys and values that were dropped are NaN by then."""
        method = self.reachable(case.length)
        query, key, value = case.at(case.length + 1).tensors()
        current = Pass(Policy(kv=method), [0], case.length + 1)
        attend(current, query[None, :, :-1], key[None, :, :-1], value[None, :, :-1], case.scale)
        kept = method.select(query[:, :-1], key[:, :-1], case.scale)
        poison(key, kept)
        poison(value, kept)

        current.phase = "decode"
        out = attend(current, query[None, :, -1:], key[None], value[None], case.scale)

        seen = torch.nn.functional.pad(kept, (0, 1), value=True).repeat_interleave(case.group, dim=0)[:, None]
        expected = naive(query[:, -1:], key.nan_to_num(0.0), value.nan_to_num(0.0), seen, case.scale)
        torch.testing.assert_close(out[0].double(), expected, atol=case.tolerance, rtol=case.tolerance)

    def test_padding_on_the_left_changes_nothing(self, batch: tuple[int, ...]) -> None:
        """Each prompt of a batch keeps what it keeps alone, with NaN where others are longer."""
        longest = max(batch)
        method = self.reachable(longest)
        cases = [Case(length, key_heads=2) for length in batch]
        query, key, value = zip(*(case.tensors(seed) for seed, case in enumerate(cases)), strict=True)
        starts = [longest - length for length in batch]
        current = Pass(Policy(kv=method), starts, longest)

        attend(current, padded(query, longest), padded(key, longest), padded(value, longest), cases[0].scale)

        for row, case in enumerate(cases):
            left = current.retained[0, row]
            found = torch.zeros(case.key_heads, case.length, dtype=torch.bool)
            for head in range(case.key_heads):
                found[head, left.tokens[head, : left.count[head]]] = True
            same_selection(found, method.select(query[row], key[row], case.scale), "tokens")


def poison(part: Tensor, kept: Tensor) -> None:
    """Turn what was dropped of a prompt into NaN; the token after the prompt stays."""
    part[torch.nn.functional.pad(~kept, (0, 1))] = float("nan")
