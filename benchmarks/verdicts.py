"""Do the verdicts keep their error rates? Runs the simulation and shows its tables.

    nice python -m benchmarks.verdicts                 # about a quarter of an hour on one idle core
    nice python -m benchmarks.verdicts --runs 2000     # a rough look

Writes `benchmarks/results/verdicts.json` (every point) and `verdicts.md` (the tables).
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.verdict_simulation import (
    BLEND,
    CONFIDENCE,
    ITEMS,
    KINDS,
    MIX,
    THRESHOLDS,
    blend,
    extensions,
    mixes,
    points,
)

RESULTS = Path(__file__).parent / "results"


def worst(rows: Sequence[dict[str, Any]], key: str, **where: object) -> dict[str, Any]:
    """The row with the largest value among those that match."""
    return max((row for row in rows if all(row[name] == value for name, value in where.items())), key=lambda r: r[key])


def markdown(study: dict[str, Any]) -> str:
    """The tables that `verdicts.md` shows; every point is in the JSON."""
    grid: list[dict[str, Any]] = study["grid"]
    lines = [
        "# Error rates of the verdicts, simulated",
        "",
        "![False PASS and false FAIL of every point](verdicts.svg)",
        "",
        f"Made by `benchmarks/verdicts.py` in {study['seconds'] / 60:.0f} minutes: {study['runs']:,} runs a point, "
        f"confidence {CONFIDENCE}, seed {study['seed']}; Python {study['python']}, numpy {study['numpy']}. "
        f"{len(grid)} points are in `verdicts.json`. The standard error of a rate of 5 % is "
        f"{100 * (0.05 * 0.95 / study['runs']) ** 0.5:.2f} points.",
        "",
        "Kinds of scores: `binary`; `F1-like` (changes of 0.1 to 1.0, equally often); `zero-inflated` (changes of "
        "0.05, 0.25 and 1.0, 60, 25 and 15 % of them); `clustered` (binary, documents of 4 items that fare alike with "
        "chance 0.7). Discordance is the share of items whose score changes; at its least every change is a loss.",
        "",
        "## False PASS: the true loss equals the threshold",
        "",
        "Largest rate over thresholds and discordances, in %. It must not exceed 5.",
        "",
        *_worst_table(grid, "pass", 1.0),
        "",
        "## False FAIL: no loss",
        "",
        "Likewise, in %. It must not exceed 5 for any number of items.",
        "",
        *_worst_table(grid, "fail", 0.0),
        "",
        "## Power: PASS where there is no loss, FAIL at three times the threshold",
        "",
        "Binary scores, early FAIL, in %.",
        "",
        *_power_table(grid),
        "",
        "## Items used at three times the threshold",
        "",
        "Mean items, in % of those planned, with early FAIL (binary and F1-like scores).",
        "",
        *_saving_table(grid),
        "",
        "## A blend of cells",
        "",
        "Sixteen cells of binary scores at threshold 0.05: "
        + "; ".join(f"{number} x {name}" for name, number, _, _ in BLEND)
        + ".",
        "",
        "| plan | items planned a cell | items used, % of planned | PASS by kind of cell, % |",
        "|---|---|---|---|",
    ]
    for row in study["blend"]:
        passes = ", ".join(f"{100 * cell['pass']:.1f}" for cell in row["cells"])
        lines.append(f"| {row['how']} | {row['items']} | {100 * row['used']:.1f} | {passes} |")
    lines += [
        "",
        "## More looks, and more items after the verdict",
        "",
        "False PASS at a loss of the threshold, largest over thresholds 0.05 and 0.1 and discordances, in %. Every run "
        "that has not passed gets more items: 100, 150, 200, 300, 400, 500.",
        "",
        "| how | " + " | ".join(kind.name for kind in KINDS) + " |",
        "|---|" + "---|" * len(KINDS),
    ]
    for how in dict.fromkeys(row["how"] for row in study["extensions"]):
        rates = [worst(study["extensions"], "pass", how=how, kind=kind.name)["pass"] for kind in KINDS]
        lines.append(f"| {how} | " + " | ".join(f"{100 * rate:.2f}" for rate in rates) + " |")
    lines += [
        "",
        "## Mixes",
        "",
        f"Shares of traffic {', '.join(f'{share:g}' for share in MIX.values())}, binary scores, each cell with early "
        "FAIL at its own threshold or without. False PASS at a mix threshold equal to the true loss must not exceed "
        "5 %; beside it, PASS at twice that threshold. Limits on a lattice of 1/4096.",
        "",
        "| mix | true loss | items a group | early FAIL | with a group stopped, % | false PASS, % | PASS at twice, % |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['mix']} | {row['loss']:g} | {row['items']} | {'yes' if row['early'] else 'no'} | "
        f"{100 * row['stopped']:.1f} | {100 * row['pass']:.2f} | {100 * row['pass_at_twice']:.1f} |"
        for row in study["mixes"]
    ]
    return "\n".join(lines) + "\n"


def _worst_table(grid: Sequence[dict[str, Any]], verdict: str, times: float) -> list[str]:
    lines = [
        "| kind | early FAIL | " + " | ".join(f"n = {items}" for items in ITEMS) + " |",
        "|---|---|" + "---|" * len(ITEMS),
    ]
    for kind in KINDS:
        for early in (True, False):
            cells = [
                worst(grid, verdict, kind=kind.name, early=early, items=items, times=times)[verdict] for items in ITEMS
            ]
            shown = " | ".join(f"{100 * rate:.2f}" for rate in cells)
            lines.append(f"| {kind.name} | {'yes' if early else 'no'} | {shown} |")
    return lines


def _power_table(grid: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        "| threshold | discordance | loss | " + " | ".join(f"n = {items}" for items in ITEMS) + " |",
        "|---|---|---|" + "---|" * len(ITEMS),
    ]
    for threshold in THRESHOLDS:
        for times, verdict in ((0.0, "pass"), (3.0, "fail")):
            rows = [
                row
                for row in grid
                if row["kind"] == "binary" and row["early"] and row["threshold"] == threshold and row["times"] == times
            ]
            for discordance in sorted({row["discordance"] for row in rows}):
                rates = [
                    next(row[verdict] for row in rows if row["discordance"] == discordance and row["items"] == items)
                    for items in ITEMS
                ]
                shown = " | ".join(f"{100 * rate:.1f}" for rate in rates)
                lines.append(
                    f"| {threshold:g} | {discordance:g} | {times * threshold:g}: {verdict.upper()} | {shown} |"
                )
    return lines


def _saving_table(grid: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        "| kind | threshold | discordance | " + " | ".join(f"n = {items}" for items in ITEMS) + " |",
        "|---|---|---|" + "---|" * len(ITEMS),
    ]
    rows = [row for row in grid if row["early"] and row["times"] == 3.0 and row["kind"] in {"binary", "F1-like"}]
    for kind, threshold, discordance in dict.fromkeys((r["kind"], r["threshold"], r["discordance"]) for r in rows):
        used = {
            row["items"]: row["mean_items"] / row["items"]
            for row in rows
            if (row["kind"], row["threshold"], row["discordance"]) == (kind, threshold, discordance)
        }
        shown = " | ".join(f"{100 * used[items]:.0f}" for items in ITEMS)
        lines.append(f"| {kind} | {threshold:g} | {discordance:g} | {shown} |")
    return lines


def main() -> None:
    """Run the study and write its results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=20_000, help="runs a point (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to (default: %(default)s)")
    options = parser.parse_args()
    begun = time.monotonic()
    # Each part has its own numbers, so that a change of one leaves the others' results as they were.
    parts = [np.random.default_rng(child) for child in np.random.SeedSequence(options.seed).spawn(4)]
    study: dict[str, Any] = {
        "runs": options.runs,
        "seed": options.seed,
        "confidence": CONFIDENCE,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    study["blend"] = blend(parts[0], options.runs)
    print(f"blend: {time.monotonic() - begun:.0f} s", flush=True)
    study["mixes"] = list(mixes(parts[1], options.runs))
    print(f"mixes: {time.monotonic() - begun:.0f} s", flush=True)
    study["extensions"] = list(extensions(parts[2], options.runs))
    print(f"extensions: {time.monotonic() - begun:.0f} s", flush=True)
    study["grid"] = []
    for row in points(parts[3], options.runs):
        study["grid"].append(row)
        if len(study["grid"]) % 100 == 0:
            print(f"grid: {len(study['grid'])} points, {time.monotonic() - begun:.0f} s", flush=True)
    study["seconds"] = round(time.monotonic() - begun)
    options.out.mkdir(parents=True, exist_ok=True)
    rows = ",\n".join(f" {json.dumps(key)}: {_json(value)}" for key, value in study.items())
    (options.out / "verdicts.json").write_text("{\n" + rows + "\n}\n", encoding="utf-8")
    (options.out / "verdicts.md").write_text(markdown(study), encoding="utf-8")
    print(markdown(study))


def _json(value: object) -> str:
    """JSON with one row of a table a line, so that differences can be read."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in value) + "\n ]"
    return json.dumps(value)


if __name__ == "__main__":
    main()
