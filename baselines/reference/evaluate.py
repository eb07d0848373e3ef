"""How good a model is at the small suite, dense and sparse: answers are generated, parsed and scored as in the plugin.

    python -m baselines.reference.evaluate build/reference/model --out build/quality
    python -m baselines.reference.evaluate build/reference/model --out build/sparsity --sparse

write a table as JSON and as Markdown. Every level of a method is compared item by item with the dense answers.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sparsetol_suites.suite import load_suite

from baselines.reference.tokenizer import SUITE
from pytest_sparsetol.answering import answer
from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.engine.prompt import prompt_hash
from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.items import Prepared
from pytest_sparsetol.methods.base import PHASES, Phase
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
        recall: evidence recall of the method's phase, averaged over heads, facts and items.
        best: that of the head that has most of a fact.
        each: loss and recall of each item that has a recall.

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
    recall: float | None = None
    best: float | None = None
    each: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """An item under one policy: its score, and how much of its facts was kept, None where nothing was counted."""

    score: float
    recall: float | None
    best: float | None


def policy_of(name: str, sparsity: float, length: int, *, from_question: bool = False) -> Policy | None:
    """The method in its phase; None where it cannot reach the sparsity at the length."""
    method = METHODS[name](sparsity=sparsity)
    try:
        method.check(length)
    except MethodError:
        return None
    later = from_question and method.phase != "prefill"
    return Policy(**{method.phase: method}, from_question=later)  # type: ignore[arg-type]  # the phase says which


def run(engine: Engine, items: Sequence[Prepared], policy: Policy, batch: int) -> tuple[list[Outcome], float | None]:
    """What became of each item, and the sparsity that was measured."""
    phase: Phase = next((name for name in PHASES if getattr(policy, name) is not None), "prefill")
    found: list[Outcome] = []
    measured: list[float] = []
    for answered, done in answer(engine, items, policy, batch):
        for sequence, one in enumerate(answered):
            facts = done.evidence.facts(sequence).get(phase, []) if done.evidence else []
            recall, best = (
                (_mean([fact.mean for fact in facts]), _mean([fact.best for fact in facts])) if facts else (None, None)
            )
            found.append(Outcome(one.score.value, recall, best))
        share = done.meter.measured(phase)
        measured += [] if share is None else [share]
    return found, _mean(measured) if measured else None


def prepared(
    engine: Engine, length: int, count: int, seed: int, groups: Collection[str] | None = None
) -> dict[str, list[Prepared]]:
    """`count` items of each task of the small suite, by group; of all groups where none are named."""
    found: dict[str, list[Prepared]] = defaultdict(list)
    for task in load_suite(SUITE, Path()).tasks:
        if groups is not None and task.group not in groups:
            continue
        for index in range(count):
            item = task.generate(length, engine.prompt, seed, index)
            ids = engine.prompt.encode(item.prompt)
            found[task.group].append(Prepared(item, task, ids, prompt_hash(ids), engine.prompt.places(item)))
    return found


def rows(
    engine: Engine,
    length: int,
    count: int,
    seed: int,
    batch: int,
    methods: list[str],
    levels: Sequence[float] = LEVELS,
    *,
    groups: Collection[str] | None = None,
    from_question: bool = False,
) -> Iterator[Row]:
    """Groups at a length, all where none are named: dense, then every method at every level."""
    for group, items in prepared(engine, length, count, seed, groups).items():
        dense = [one.score for one in run(engine, items, DENSE, batch)[0]]
        yield Row(group, length, "dense", 0.0, len(dense), _mean(dense))
        for name in methods:
            for sparsity in levels:
                policy = policy_of(name, sparsity, length, from_question=from_question)
                if policy is None:
                    yield Row(group, length, name, sparsity, 0)
                    continue
                sparse, measured = run(engine, items, policy, batch)
                losses = [before - one.score for before, one in zip(dense, sparse, strict=True)]
                decision = decide(losses, 0.05)
                recalls = [one.recall for one in sparse if one.recall is not None]
                bests = [one.best for one in sparse if one.best is not None]
                yield Row(
                    group, length, name, sparsity, len(sparse), _mean([one.score for one in sparse]), decision.mean,
                    decision.lower, decision.upper, measured,
                    _mean(recalls) if recalls else None, _mean(bests) if bests else None,
                    tuple(
                        (round(loss, 4), round(one.recall, 4))
                        for loss, one in zip(losses, sparse, strict=True)
                        if one.recall is not None
                    ),
                )  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


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
    parser.add_argument("--levels", type=float, nargs="+", default=list(LEVELS))
    parser.add_argument("--groups", nargs="+", help="of tasks; all where none is named")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments = parser.parse_args()
    methods = [] if arguments.sparse is None else arguments.sparse or sorted(METHODS)
    spec = ModelSpec(path=arguments.model, dtype="float32", device=arguments.device)
    engine = Engine(locate(arguments.model, Path.cwd()), spec)
    table: list[Row] = []
    for length in arguments.lengths:
        for row in rows(
            engine, length, arguments.items, arguments.seed, arguments.batch, methods, arguments.levels,
            groups=arguments.groups,
        ):  # fmt: skip
            table.append(row)
            content = {"versions": engine.versions(), "rows": [asdict(row) for row in table]}
            # Names may hold levels such as 0.9: what follows the dot is no suffix.
            Path(f"{arguments.out}.json").write_text(json.dumps(content), encoding="utf-8")
            Path(f"{arguments.out}.md").write_text(markdown(table), encoding="utf-8")


if __name__ == "__main__":
    main()
