"""Evidence recall against degradation, for each group, from the runs of `benchmarks.curves`.

    python -m benchmarks.recall benchmarks/results/curves.json

writes `recall.md` beside it. Two questions are asked of the same runs: do policies that keep less of the evidence lose
more (rank correlation over the methods and levels of a phase), and, within one method at one level, do the items lose
more of which less was kept (items under their row's median recall against the rest).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from scipy.stats import spearmanr

from pytest_sparsetol.methods.base import PHASES
from pytest_sparsetol.methods.registry import METHODS

RESULTS = Path(__file__).parent / "results/curves.json"


def halves(rows: Sequence[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """Losses of the items under their row's median recall, and of those at it or over, all rows together."""
    less: list[float] = []
    more: list[float] = []
    for row in rows:
        middle = median(recall for _, recall in row["each"])
        for loss, recall in row["each"]:
            (less if recall < middle else more).append(loss)
    return less, more


def by_group(table: Sequence[dict[str, Any]]) -> str:
    """A line for each group and phase: what recall means differs between phases."""
    lines = [
        "| group | phase | policies | rank correlation of recall and loss | of the best head's recall and loss | "
        "loss of items under the median recall (points) | of the rest |",
        "|---|---|---|---|---|---|---|",
    ]
    for group in dict.fromkeys(row["group"] for row in table):
        for phase in PHASES:
            rows = [
                row
                for row in table
                if row["group"] == group and row["recall"] is not None and METHODS[row["method"]].phase == phase
            ]
            if not rows:
                continue
            less, more = halves(rows)
            lines.append(
                f"| {group} | {phase} | {len(rows)} | {_rank(rows, 'recall')} | {_rank(rows, 'best')} | "
                f"{_points(less)} | {_points(more)} |"
            )
    return "\n".join(lines)


def by_policy(table: Sequence[dict[str, Any]]) -> str:
    """A line a policy and group."""
    lines = [
        "| group | length | method | sparsity | n | recall | best head | loss (points) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['group']} | {row['length']} | {row['method']} | {row['sparsity']:g} | {row['items']} | "
        f"{row['recall']:.3f} | {row['best']:.3f} | {100 * row['loss']:.1f} |"
        for row in table
        if row["recall"] is not None
    ]
    return "\n".join(lines)


def _rank(rows: Sequence[dict[str, Any]], what: str) -> str:
    """Spearman's coefficient, `-` where either side is constant."""
    values, losses = [row[what] for row in rows], [row["loss"] for row in rows]
    if len(set(values)) < 2 or len(set(losses)) < 2:
        return "-"
    return f"{spearmanr(values, losses).statistic:.2f}"


def _points(losses: Sequence[float]) -> str:
    return f"{100 * fmean(losses):.1f} (n={len(losses)})" if losses else "-"


def main() -> None:
    """Read the runs and write the page."""
    parser = argparse.ArgumentParser(description="Evidence recall against degradation.")
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS)
    arguments = parser.parse_args()
    content = json.loads(arguments.results.read_text(encoding="utf-8"))
    versions, settings = content["versions"], content["settings"]
    text = (
        "# Evidence recall against degradation\n\n"
        f"Items of seed {settings['seed']}; {versions['device']}, torch {versions['torch']}, "
        f"transformers {versions['transformers']}. Losses are dense minus sparse, item by item.\n\n"
        f"{by_group(content['rows'])}\n\n{by_policy(content['rows'])}\n"
    )
    arguments.results.with_name("recall.md").write_text(text, encoding="utf-8")
    print(by_group(content["rows"]))


if __name__ == "__main__":
    main()
