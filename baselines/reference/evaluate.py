"""How good a model is at the small suite, dense and sparse: answers are generated, parsed and scored as in the plugin.

    python -m baselines.reference.evaluate build/reference/model --out build/quality
    python -m baselines.reference.evaluate build/reference/model --out build/sparsity --sparse

write a table as JSON and as Markdown. Every level of a method is compared item by item with the dense answers.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sparsetol_suites.item import Item
from sparsetol_suites.suite import SuiteTask, load_suite

from baselines.reference.tokenizer import SUITE
from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import DecodeMethod, PrefillMethod
from pytest_sparsetol.methods.registry import METHODS
from pytest_sparsetol.model_files import locate
from pytest_sparsetol.statistics import decide

LEVELS = (0.0, 0.5, 0.67, 0.8, 0.9, 0.933, 0.95)


@dataclass(frozen=True)
class Row:
    """A group at a length under one policy.

    Attributes:
        group: of tasks.
        length: prompt tokens.
        method: name, `dense` for none.
        sparsity: declared.
        items: that were run; 0 where the method cannot reach the sparsity.
        score: mean of the task means.
        loss: mean of dense minus sparse.
        lower: limit of the loss.
        upper: limit of the loss.
        measured: sparsity that was counted.

    """

    group: str
    length: int
    method: str
    sparsity: float
    items: int
    score: float | None = None
    loss: float | None = None
    lower: float | None = None
    upper: float | None = None
    measured: float | None = None


def policy_of(name: str, sparsity: float, length: int) -> Policy | None:
    """The method in its phase; None where it cannot reach the sparsity at the length, or acts in no phase of these."""
    method = METHODS[name](sparsity=sparsity)
    try:
        method.check(length)
    except MethodError:
        return None
    if isinstance(method, PrefillMethod):
        return Policy(prefill=method)
    return Policy(decode=method) if isinstance(method, DecodeMethod) else None


def scores(
    engine: Engine, task: SuiteTask, items: list[Item], policy: Policy, batch: int
) -> tuple[list[float], float | None]:
    """The score of each item, and the sparsity that was measured."""
    found: list[float] = []
    measured: list[float] = []
    for first in range(0, len(items), batch):
        part = items[first : first + batch]
        prompts = [engine.prompt.encode(item.prompt) for item in part]
        answers, done = engine.answer(prompts, [task.answer_tokens] * len(part), policy)
        found += [task.score(item, engine.text(answer)).value for item, answer in zip(part, answers, strict=True)]
        share = done.meter.measured("prefill" if policy.prefill else "decode")
        measured += [] if share is None else [share]
    return found, sum(measured) / len(measured) if measured else None


def rows(engine: Engine, length: int, count: int, seed: int, batch: int, methods: list[str]) -> Iterator[Row]:
    """All groups at a length: dense, then every method at every level."""
    groups: dict[str, list[tuple[SuiteTask, list[Item]]]] = defaultdict(list)
    for task in load_suite(SUITE, Path()).tasks:
        items = [task.generate(length, engine.prompt, seed, index) for index in range(count)]
        groups[task.group].append((task, items))
    for group, members in groups.items():
        dense = [score for task, items in members for score in scores(engine, task, items, DENSE, batch)[0]]
        yield Row(group, length, "dense", 0.0, len(dense), sum(dense) / len(dense))
        for name in methods:
            for sparsity in LEVELS:
                policy = policy_of(name, sparsity, length)
                if policy is None:
                    yield Row(group, length, name, sparsity, 0)
                    continue
                results = [scores(engine, task, items, policy, batch) for task, items in members]
                sparse = [score for found, _ in results for score in found]
                shares = [share for _, share in results if share is not None]
                decision = decide([a - b for a, b in zip(dense, sparse, strict=True)], 0.05)
                yield Row(
                    group, length, name, sparsity, len(sparse), sum(sparse) / len(sparse), decision.mean,
                    decision.lower, decision.upper, sum(shares) / len(shares) if shares else None,
                )  # fmt: skip


def markdown(table: list[Row]) -> str:
    """The table, losses in points with their one-sided 95 % limits."""
    lines = ["| group | length | method | sparsity | items | score | loss (points) |", "|---|---|---|---|---|---|---|"]
    for row in table:
        if row.score is None:
            shown, loss = "-", "out of reach"
        else:
            shown = f"{row.score:.3f}"
            limits = row.loss is not None and row.lower is not None and row.upper is not None
            loss = f"{100 * row.loss:.1f} ({100 * row.lower:.1f} to {100 * row.upper:.1f})" if limits else "-"  # type: ignore[operator]  # limits says so
        lines.append(
            f"| {row.group} | {row.length} | {row.method} | {row.sparsity:g} | {row.items} | {shown} | {loss} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write after every row, so that an interrupted run is not lost."""
    parser = argparse.ArgumentParser(description="Measure a model on the small suite.")
    parser.add_argument("model", help="directory of the model")
    parser.add_argument("--out", type=Path, required=True, help="path of the table, without suffix")
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--items", type=int, default=50, help="items a task and length")
    parser.add_argument("--seed", type=int, default=1000, help="of the items; training has seeds of its own kind")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--sparse", nargs="*", help="methods to compare; all of them where none is named")
    arguments = parser.parse_args()
    methods = [] if arguments.sparse is None else arguments.sparse or sorted(METHODS)
    engine = Engine(locate(arguments.model, Path.cwd()), ModelSpec(path=arguments.model, dtype="float32"))
    table: list[Row] = []
    for length in arguments.lengths:
        for row in rows(engine, length, arguments.items, arguments.seed, arguments.batch, methods):
            table.append(row)
            content = {"versions": engine.versions(), "rows": [asdict(row) for row in table]}
            arguments.out.with_suffix(".json").write_text(json.dumps(content), encoding="utf-8")
            arguments.out.with_suffix(".md").write_text(markdown(table), encoding="utf-8")


if __name__ == "__main__":
    main()
