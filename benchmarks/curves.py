"""One curve of quality against sparsity for each method and group, on a model that masters the small suite.

    python -m benchmarks.curves baselines/reference/model --items 20 --workers 8

runs every method at every level on the same items, each method in a process of its own, compares with dense item by
item, and writes `benchmarks/results/curves.json`, `curves.md` and `curves.svg`. `python -m benchmarks.recall` reads the
JSON and sets evidence recall against the losses. Runs of `baselines.reference.evaluate`, of some methods, groups or
levels each and on whatever device, are put together with

    python -m benchmarks.curves baselines/reference/model --tables build/*.json

Of a policy that several of them ran, the run with most items counts.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from baselines.reference.evaluate import rows
from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.methods.registry import METHODS
from pytest_sparsetol.model_files import locate

LEVELS = (0.5, 0.67, 0.8, 0.9, 0.95)
OUT = Path(__file__).parent / "results/curves"
COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#7b2d8b", "#b08900", "#444444", "#d16ba5", "#2a9d8f")
WIDTH, HEIGHT, MARGIN = 330, 220, 40


def one_method(
    arguments: argparse.Namespace, method: str, threads: int | None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All groups and lengths of one method, and the versions that ran."""
    if threads is not None:
        torch.set_num_threads(threads)
    spec = ModelSpec(path=arguments.model, dtype="float32", device=arguments.device)
    engine = Engine(locate(arguments.model, Path.cwd()), spec)
    table = [
        asdict(row)
        for length in arguments.lengths
        for row in rows(
            engine,
            length,
            arguments.items,
            arguments.seed,
            arguments.batch,
            [method],
            arguments.levels,
            from_question=arguments.from_question,
        )
    ]
    return table, engine.versions()


def merged(tables: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of all methods by length and group, in the order of their first appearance, dense once.

    Of a policy that several tables hold, the row with most items counts, the first of those with as many.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    places: dict[tuple[Any, ...], int] = {}
    for row in chain.from_iterable(tables):
        places.setdefault((row["length"], row["group"]), len(places))
        policy = row["length"], row["group"], row["method"], row["sparsity"]
        if policy not in found or row["items"] > found[policy]["items"]:
            found[policy] = row
    return sorted(found.values(), key=lambda row: places[row["length"], row["group"]])


def put_together(paths: Sequence[Path], seed: int) -> dict[str, Any]:
    """The content of a result from tables of `baselines.reference.evaluate`; sparsity 0, which is dense, left out."""
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    versions: dict[str, set[str]] = {}
    for name, version in chain.from_iterable(content["versions"].items() for content in contents):
        versions.setdefault(name, set()).add(str(version))
    table = merged(
        [[row for row in content["rows"] if row["method"] == "dense" or row["sparsity"] > 0] for content in contents]
    )
    return {
        "versions": {name: " and ".join(sorted(each)) for name, each in versions.items()},
        "settings": {"seed": seed, "lengths": sorted({row["length"] for row in table})},
        "rows": table,
    }


def draw(table: Sequence[dict[str, Any]], length: int) -> str:
    """A panel a group: the mean score of each method over declared sparsity, dense as a dashed line."""
    mine = [row for row in table if row["length"] == length]
    groups = list(dict.fromkeys(row["group"] for row in mine))
    methods = sorted({row["method"] for row in mine} - {"dense"})
    levels = sorted({row["sparsity"] for row in mine if row["method"] != "dense"})
    colours = dict(zip(methods, COLOURS, strict=False))
    width, height = WIDTH * len(groups), HEIGHT + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for place, group in enumerate(groups):
        left = WIDTH * place + MARGIN
        right = WIDTH * (place + 1) - 12
        step = (right - left) / len(levels)
        across = {level: left + step * (index + 0.5) for index, level in enumerate(levels)}
        parts.append(f'<text x="{left}" y="22" font-weight="bold">{group}, {length} tokens</text>')
        for percent in range(0, 101, 25):
            y = _down(percent / 100)
            parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#ddd"/>')
            parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>')
        for level, x in across.items():
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{level:g}</text>')
        for row in mine:
            if row["group"] == group and row["method"] == "dense":
                y = _down(row["score"])
                parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#000" '
                             'stroke-dasharray="5 3"/>')  # fmt: skip
        for method in methods:
            points = [
                (across[row["sparsity"]], _down(row["score"]))
                for row in mine
                if row["group"] == group and row["method"] == method and row["score"] is not None
            ]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colours[method]}" stroke-width="1.6"/>')
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{colours[method]}"/>' for x, y in points]
    for place, method in enumerate(methods):
        x = MARGIN + 120 * place
        parts.append(f'<circle cx="{x}" cy="{HEIGHT + 10}" r="4" fill="{colours[method]}"/>')
        parts.append(f'<text x="{x + 9}" y="{HEIGHT + 14}">{method}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _down(score: float) -> float:
    return MARGIN + (HEIGHT - 2 * MARGIN) * (1 - score)


def main() -> None:
    """Measure all methods and write the three files."""
    parser = argparse.ArgumentParser(description="Quality against sparsity, for every method.")
    parser.add_argument("model", help="directory of the model")
    parser.add_argument("--out", type=Path, default=OUT, help="path of the files, without suffix")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024])
    parser.add_argument("--levels", type=float, nargs="+", default=list(LEVELS))
    parser.add_argument("--methods", nargs="+", default=sorted(METHODS))
    parser.add_argument("--items", type=int, default=20, help="items a task and length")
    parser.add_argument("--seed", type=int, default=1000, help="of the items; training has seeds of its own kind")
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--workers", type=int, default=1, help="methods that run at the same time")
    parser.add_argument("--from-question", action="store_true", help="decode and kv methods act on the question too")
    parser.add_argument("--tables", type=Path, nargs="+", help="put these together instead of running anything")
    arguments = parser.parse_args()
    if arguments.tables:
        write(put_together(arguments.tables, arguments.seed), arguments.out)
        return
    threads = None if arguments.workers == 1 else max(1, (os.cpu_count() or 1) // arguments.workers)
    tables: list[list[dict[str, Any]]] = []
    versions: dict[str, Any] = {}
    with ProcessPoolExecutor(arguments.workers) as pool:
        count = len(arguments.methods)
        for method, (table, versions) in zip(
            arguments.methods,
            pool.map(one_method, [arguments] * count, arguments.methods, [threads] * count),
            strict=True,
        ):
            tables.append(table)
            found = merged(tables)
            settings = {
                name: getattr(arguments, name)
                for name in ("items", "seed", "batch", "lengths", "levels", "from_question")
            }
            content = {"versions": versions, "settings": settings, "rows": found}
            write(content, arguments.out)
            print(f"{method}: done", flush=True)


def page(content: dict[str, Any]) -> str:
    """Losses by length, method and group, a column a level."""
    versions, rows = content["versions"], content["rows"]
    found = {(row["length"], row["method"], row["group"], row["sparsity"]): row for row in rows}
    levels = sorted({row["sparsity"] for row in rows if row["method"] != "dense"})
    lines = [
        "# Quality against sparsity", "",
        f"Points lost against dense on the same items, with one-sided 95 % limits. Items of seed "
        f"{content['settings']['seed']}; {versions['device']}, torch {versions['torch']}, transformers "
        f"{versions['transformers']}. `-`: the method cannot hold that sparsity at that length.",
    ]  # fmt: skip
    for length in content["settings"]["lengths"]:
        lines += [
            "", f"## {length:,} tokens", "",
            "| method | group | dense score | n | " + " | ".join(f"{level:g}" for level in levels) + " |",
            "|---" * (4 + len(levels)) + "|",
        ]  # fmt: skip
        for method in sorted({row["method"] for row in rows} - {"dense"}):
            for group in dict.fromkeys(row["group"] for row in rows):
                cells = [found.get((length, method, group, level)) for level in levels]
                counts = sorted({cell["items"] for cell in cells if cell is not None and cell["items"]})
                dense = found[length, "dense", group, 0.0]["score"]
                lines.append(
                    f"| {method} | {group} | {100 * dense:.1f} | {' to '.join(map(str, dict.fromkeys(counts)))} | "
                    + " | ".join(map(_lost, cells)) + " |"
                )  # fmt: skip
    return "\n".join(lines) + "\n"


def _lost(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not run"
    if row["loss"] is None:
        return "-"
    return f"{100 * row['loss']:.1f} ({100 * row['lower']:.1f} to {100 * row['upper']:.1f})"


def write(content: dict[str, Any], out: Path) -> None:
    """The rows as JSON, as a table and as drawings."""
    out.with_suffix(".json").write_text(json.dumps(content) + "\n", encoding="utf-8")
    out.with_suffix(".md").write_text(page(content), encoding="utf-8")
    lengths = content["settings"]["lengths"]
    for length in lengths:
        name = out.name if len(lengths) == 1 else f"{out.name}-{length}"
        out.with_name(f"{name}.svg").write_text(draw(content["rows"], length), encoding="utf-8")


if __name__ == "__main__":
    main()
