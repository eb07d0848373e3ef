"""The shared matrix on every method, against its definition in loops.

Scores are those of `sparsetol_kernels`, which are tested against float64 loops on the same shapes in
`test_scores.py`: so selections are compared exactly, with ties to the earlier place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from sparsetol_kernels.block_sparse import pooled_block_scores
from sparsetol_kernels.coverage import coverage_before
from sparsetol_kernels.quest import quest_page_scores
from sparsetol_kernels.snapkv import snapkv_scores
from sparsetol_kernels.vertical_slash import vertical_slash_scores
from torch import Tensor

from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from pytest_sparsetol.methods.base import DecodeMethod, KvMethod, PrefillMethod
from pytest_sparsetol.methods.block_sparse import BlockSparse, block_counts
from pytest_sparsetol.methods.flexprefill import FlexPrefill
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.sliding_window import SlidingWindow
from pytest_sparsetol.methods.snapkv import SnapKV
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from pytest_sparsetol.testing import DecodeChecks, KvChecks, PrefillChecks


def best_first(scores: list[float], candidates: list[int]) -> list[int]:
    """Candidates by falling score, ties to the earlier."""
    return sorted(candidates, key=lambda place: (-scores[place], place))


def spread_out(keys: Tensor, block: int, length: int) -> Tensor:
    """`[row blocks, length]` of one head as `[length, length]`, causal."""
    return keys.repeat_interleave(block, dim=0)[:length].tril()


def in_order(scores: Tensor, forced: int) -> list[int]:
    """Lines in the order in which they are taken: forced ones, then the best."""
    length = len(scores)
    return [*range(min(forced, length)), *best_first(scores.tolist(), list(range(min(forced, length), length)))]


def keys_of_lines(columns: list[int], offsets: list[int], length: int) -> Tensor:
    """Keys of each block of 64 rows: every column, and the 64 keys that each diagonal crosses."""
    keys = torch.zeros(-(-length // 64), length, dtype=torch.bool)
    for number in range(len(keys)):
        first = (number * 64 - torch.tensor(offsets, dtype=torch.long)).clamp(min=-64)
        # One more range begins at `first`, one fewer 64 keys on: keys inside any of them count above zero.
        edges = torch.zeros(length + 129, dtype=torch.long)
        edges.index_add_(0, first + 64, torch.ones_like(first))
        edges.index_add_(0, first + 128, -torch.ones_like(first))
        keys[number] = edges.cumsum(dim=0)[64 : 64 + length] > 0
        keys[number, columns] = True
        keys[number, (number + 1) * 64 :] = False
    return keys


def cost(keys: Tensor) -> int:
    """Causal pairs of keys of blocks of 64 rows."""
    length = keys.shape[1]
    last = (torch.arange(1, len(keys) + 1)[:, None] * 64).clamp(max=length)
    first = torch.maximum(torch.arange(len(keys))[:, None] * 64, torch.arange(length)[None])
    return int((keys * (last - first)).sum())


def most_that_fit(low: int, high: int, budget: int, pairs: Callable[[int], int]) -> int:
    """The largest n of low to high whose pairs are within the budget, low if none is."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if pairs(middle) <= budget else (low, middle - 1)
    return low


class TestVerticalSlash(PrefillChecks):
    method = VerticalSlash

    def reference(self, method: PrefillMethod, query: Tensor, key: Tensor, scale: float) -> Tensor:
        length = key.shape[1]
        local = max(1, min(64, length // 64))
        budget = int(method.kept * (length * (length + 1) // 2))
        out = []
        for verticals, slashes in zip(*vertical_slash_scores(query, key, scale, 256), strict=True):
            columns, offsets = in_order(verticals, 4), in_order(slashes, local)

            def keys(across: int, along: int, columns: list[int] = columns, offsets: list[int] = offsets) -> Tensor:
                return keys_of_lines(columns[: 4 + across], offsets[: local + along], length)

            lines = most_that_fit(0, length, budget, lambda n, keys=keys: cost(keys(n, n)))  # type: ignore[misc]  # bound now
            more = most_that_fit(lines, length, budget, lambda n, keys=keys, k=lines: cost(keys(n, k)))  # type: ignore[misc]  # bound now
            out.append(spread_out(keys(more, lines), 64, length))
        return torch.stack(out)


class TestFlexPrefill(PrefillChecks):
    method = FlexPrefill

    def reference(self, method: PrefillMethod, query: Tensor, key: Tensor, scale: float) -> Tensor:
        heads, length, _ = query.shape
        floor, local = min(512, length // 32), max(1, min(64, length // 64))
        budget = int(method.kept * heads * (length * (length + 1) // 2))
        scores = vertical_slash_scores(query, key, scale, 256)
        # Every line as (what must be granted until it is taken, kind, place, head), forced ones first.
        lines = []
        for kind, (of_kind, forced) in enumerate(zip(scores, (4, local), strict=True)):
            ahead = coverage_before(of_kind.sort(descending=True).values).tolist()
            for head in range(heads):
                for place in range(length):
                    need = -1.0 if place < forced else float(place) if place < floor else floor + ahead[head][place]
                    lines.append((need, kind, place, head))
        lines.sort()
        order = [[in_order(s, forced) for s in of_kind] for of_kind, forced in zip(scores, (4, local), strict=True)]

        def chosen(taken: list[tuple[float, int, int, int]], kind: int, head: int) -> list[int]:
            return [order[kind][head][place] for _, of_kind, place, owner in taken if (of_kind, owner) == (kind, head)]

        def layer(taken: list[tuple[float, int, int, int]]) -> list[Tensor]:
            return [keys_of_lines(chosen(taken, 0, head), chosen(taken, 1, head), length) for head in range(heads)]

        forced = sum(line[0] < 0 for line in lines)
        n = most_that_fit(forced, len(lines), budget, lambda n: sum(map(cost, layer(lines[:n]))))
        columns = [line for line in lines[n:] if line[1] == 0]
        more = most_that_fit(0, len(columns), budget, lambda m: sum(map(cost, layer(lines[:n] + columns[:m]))))
        return torch.stack([spread_out(keys, 64, length) for keys in layer(lines[:n] + columns[:more])])


class TestBlockSparse(PrefillChecks):
    method = BlockSparse

    def reference(self, method: PrefillMethod, query: Tensor, key: Tensor, scale: float) -> Tensor:  # noqa: ARG002  # no softmax
        return self.by_scores(method, pooled_block_scores(query, key, 16), key.shape[1])

    def by_scores(self, method: PrefillMethod, of_lists: Tensor, length: int) -> Tensor:
        """The pairs of each list."""
        counts = block_counts(length, 16, 1 - method.kept)
        out = []
        for scores in of_lists:
            keys = torch.zeros(len(counts), length, dtype=torch.bool)
            for row, count in enumerate(counts):
                always = sorted({0, row, max(0, row - 1)})
                rest = best_first(scores[row].tolist(), [block for block in range(row + 1) if block not in always])
                for block in [*always, *rest][:count]:
                    keys[row, block * 16 : (block + 1) * 16] = True
            out.append(spread_out(keys, 16, length))
        return torch.stack(out)


class TestBlockSparseListsOfKeyHeads(TestBlockSparse):
    parameters: ClassVar[dict[str, str]] = {"lists": "key_head"}

    def reference(self, method: PrefillMethod, query: Tensor, key: Tensor, scale: float) -> Tensor:  # noqa: ARG002  # no softmax
        scores = pooled_block_scores(query, key, 16, per_key_head=True)
        return self.by_scores(method, scores, key.shape[1]).repeat_interleave(len(query) // len(key), dim=0)


class TestSlidingWindow(PrefillChecks):
    method = SlidingWindow

    def reference(self, method: PrefillMethod, query: Tensor, key: Tensor, scale: float) -> Tensor:  # noqa: ARG002  # unread
        length = key.shape[1]
        row, column = torch.arange(length)[:, None], torch.arange(length)[None]

        def window(tokens: int) -> Tensor:
            return (column <= row) & ((column < 4) | (column >= row // 16 * 16 - tokens))

        budget = method.kept * (length * (length + 1) // 2)
        fits = most_that_fit(0, length, int(budget), lambda tokens: int(window(tokens).sum()))
        nearest = min((fits, fits + 1), key=lambda tokens: abs(int(window(tokens).sum()) - budget))
        return window(nearest).expand(query.shape[0], -1, -1)


class TestSnapKV(KvChecks):
    method = SnapKV

    def reference(self, method: KvMethod, query: Tensor, key: Tensor, scale: float) -> Tensor:
        length = key.shape[1]
        window, local = max(1, min(256, length // 16)), max(1, min(128, length // 32))
        always = [token for token in range(length) if token < 4 or token >= length - local]
        capacity = max(len(always), round(method.kept * length))
        kept = torch.zeros(key.shape[:2], dtype=torch.bool)
        for head, scores in enumerate(snapkv_scores(query, key, scale, window, 21, "mean")):
            rest = best_first(scores.tolist(), [token for token in range(length) if token not in always])
            kept[head, [*always, *rest][:capacity]] = True
        return kept


class TestAdaSnapKV(KvChecks):
    method = AdaSnapKV

    def reference(self, method: KvMethod, query: Tensor, key: Tensor, scale: float) -> Tensor:
        heads, length, _ = key.shape
        window, local = max(1, min(256, length // 16)), max(1, min(128, length // 32))
        always = [token for token in range(length) if token < 4 or token >= length - local]
        capacity = max(len(always), round(method.kept * length))
        own = max(len(always), int(0.2 * capacity))
        kept = torch.zeros(key.shape[:2], dtype=torch.bool)
        left = []
        for head, scores in enumerate(snapkv_scores(query, key, scale, window, 21, "max").tolist()):
            rest = best_first(scores, [token for token in range(length) if token not in always])
            mine = [*always, *rest][:own]
            kept[head, mine] = True
            left += [(-scores[token], head, token) for token in range(length) if token not in set(mine)]
        for _, head, token in sorted(left)[: heads * (capacity - own)]:
            kept[head, token] = True
        return kept


class TestQuest(DecodeChecks):
    method = Quest

    def reference(self, method: DecodeMethod, query: Tensor, key: Tensor) -> Tensor:
        heads, length, size = key.shape
        earlier = (length - 1) // 16
        seen = torch.zeros(heads, length, dtype=torch.bool)
        seen[:, earlier * 16 :] = True
        if earlier:
            pages = key[:, : earlier * 16].view(heads, earlier, 16, size)
            count = max(1, round((method.kept * length - (length - earlier * 16)) / 16))
            for head, scores in enumerate(quest_page_scores(query, pages.amin(dim=2), pages.amax(dim=2))):
                for page in best_first(scores.tolist(), list(range(earlier)))[:count]:
                    seen[head, page * 16 : (page + 1) * 16] = True
        return seen
