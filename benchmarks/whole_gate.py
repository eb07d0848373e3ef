"""The whole gate on one device, all six methods, and one device's run against another's, item by item.

    python -m benchmarks.whole_gate run baselines/reference/model --device cuda --out build/gate-cuda
    python -m benchmarks.whole_gate run baselines/reference/model --device cpu --out build/gate-cpu
    python -m benchmarks.whole_gate run SmolLM2-135M-Instruct.Q4_1.gguf --suite benchmarks/whole_gate_suite.yaml \
        --groups single_qa --lengths 2k 4k --items 11 --threshold 0.25 --batch-size 2 --device cuda \
        --out build/smollm2-cuda
    python -m benchmarks.whole_gate compare build/gate-cpu build/gate-cuda --out build/gate-differences.json

`run` writes a contract, records dense baselines on the device, runs every cell and keeps the store, the JSON report and
what the terminal showed. `compare` sets verdicts, measured sparsity, dense scores and paired losses of the same items
side by side, and says where they differ.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.plugin_options import plugin_options

DEPLOYMENTS: dict[str, dict[str, dict[str, object]]] = {
    "vertical-slash": {"prefill": {"method": "vertical_slash", "sparsity": 0.8}},
    "block-sparse": {"prefill": {"method": "block_sparse", "sparsity": 0.8}},
    "flexprefill": {"prefill": {"method": "flexprefill", "sparsity": 0.8}},
    "snapkv": {"kv": {"method": "snapkv", "sparsity": 0.67}},
    "ada-snapkv": {"kv": {"method": "ada_snapkv", "sparsity": 0.67}},
    "quest": {"decode": {"method": "quest", "sparsity": 0.8, "from": "question"}},
}
SAME_SPARSITY = 1e-3
"""Largest difference of measured sparsity that goes without mention."""


def run(options: argparse.Namespace) -> int:
    """Record and gate; returns pytest's exit code, which is 1 where a cell is red."""
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    suite = Path(options.suite)
    contract = {
        "contract": 1,
        "model": {
            "path": str(options.model.resolve()), "dtype": options.dtype, "device": options.device,
            "batch_size": options.batch_size,
        },
        "suite": str(suite.resolve()) if suite.suffix == ".yaml" else options.suite,
        "lengths": options.lengths,
        "mix": dict.fromkeys(options.groups, 1 / len(options.groups)),
        "deployments": DEPLOYMENTS,
        "gate": {
            "max_degradation": options.threshold, "items": {"max": options.items, "seed": 0}, "untestable": "warn",
        },
    }  # fmt: skip
    (out / "sparsetol.yaml").write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
    report = (out / "report.json").resolve()
    begun = time.monotonic()
    command = [
        sys.executable, "-m", "pytest", *plugin_options(),
        "sparsetol.yaml", "--rootdir=.", "--sparsetol-record", f"--sparsetol-json={report}",
        "-p", "no:cacheprovider", "--color=no", *(["-k", options.select] if options.select else []),
        *(["-n", str(options.workers)] if options.workers else []),
    ]  # fmt: skip
    transcript = out / "transcript.txt"
    with transcript.open("w", encoding="utf-8") as file:
        # This interpreter, on a contract that was written here.
        done = subprocess.run(command, cwd=out, check=False, stdout=file, stderr=subprocess.STDOUT)  # noqa: S603
    print(transcript.read_text(encoding="utf-8")[-6000:])
    print(f"pytest ended with {done.returncode} after {time.monotonic() - begun:.0f} s")
    return done.returncode


def compare(first: Path, second: Path, out: Path | None) -> int:
    """1 where a verdict, a measured sparsity or an item differs."""
    reports = [json.loads((folder / "report.json").read_text(encoding="utf-8")) for folder in (first, second)]
    cells = [{cell["node_id"]: cell for cell in report["cells"]} for report in reports]
    if set(cells[0]) != set(cells[1]):
        raise SystemExit(f"the two runs have different cells: {sorted(set(cells[0]) ^ set(cells[1]))}")
    rows = [
        _cell(node, cells[0][node], cells[1][node], *(report["evidence"].get(node, {}) for report in reports))
        for node in sorted(cells[0])
    ]
    dense = _dense(first, second)
    found = {
        "first": reports[0]["environment"], "second": reports[1]["environment"],
        "dense_items": dense["items"], "dense_items_that_differ": dense["differing"], "cells": rows,
    }  # fmt: skip
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(
            f"{row['node_id']:<55} {row['verdicts'][0]:>13} {row['verdicts'][1]:>13} "
            f"{len(row['items_that_differ']):>3} of {row['items']:>3} items differ  "
            f"{'' if row['same_sparsity'] else 'sparsity ' + str(row['measured_sparsity'])}"
        )
    print(f"dense: {len(dense['differing'])} of {dense['items']} items differ")
    same = all(
        row["verdicts"][0] == row["verdicts"][1] and row["same_sparsity"] and not row["items_that_differ"]
        for row in rows
    )
    return 0 if same and not dense["differing"] else 1


def _cell(
    node: str, one: dict[str, Any], other: dict[str, Any], paired: dict[str, Any], other_paired: dict[str, Any]
) -> dict[str, Any]:
    losses = paired.get("differences", []), other_paired.get("differences", [])
    # Items come in the same order; a run that was sure earlier has fewer.
    common = min(map(len, losses))
    sparsities = one["measured_sparsity"], other["measured_sparsity"]
    return {
        "node_id": node,
        "verdicts": [one["verdict"], other["verdict"]],
        "reasons": [one["reason"], other["reason"]],
        "degradation": [one["degradation"], other["degradation"]],
        "measured_sparsity": sparsities,
        "same_sparsity": all(_near(sparsities[0][phase], sparsities[1][phase]) for phase in sparsities[0]),
        "backends": [one["backend"], other["backend"]],
        "items": common,
        "items_that_differ": [
            {"place": place, "task": paired["tasks"][place], "losses": [losses[0][place], losses[1][place]]}
            for place in range(common)
            if losses[0][place] != losses[1][place]
        ],
    }


def _near(one: float | None, other: float | None) -> bool:
    return one == other if one is None or other is None else abs(one - other) <= SAME_SPARSITY


def _dense(first: Path, second: Path) -> dict[str, Any]:
    """Stored dense scores of the two runs, by item."""
    stores = [
        {
            # The store of a task and length is one file, and numbers its items from the start.
            f"{path.stem.rpartition('-')[0]} {row['item']}": row["score"]
            for path in sorted((folder / "baselines").rglob("*.jsonl"))
            for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())
            if "item" in row
        }
        for folder in (first, second)
    ]
    common = sorted(stores[0].keys() & stores[1].keys())
    differing = [
        {"item": item, "scores": [stores[0][item], stores[1][item]]}
        for item in common
        if stores[0][item] != stores[1][item]
    ]
    return {"items": len(common), "differing": differing}


def main() -> int:
    """Run or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("model", type=Path)
    running.add_argument("--device", choices=["cpu", "cuda"], required=True)
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--suite", default="frontier-small", help="a name, or a YAML file")
    running.add_argument("--groups", nargs="+", default=["single_qa", "multi_qa", "multi_hop", "aggregation"])
    running.add_argument("--lengths", nargs="+", default=["2k"])
    running.add_argument("--items", type=int, default=24, help="of each cell")
    running.add_argument("--threshold", type=float, default=0.15)
    running.add_argument("--dtype", default="float32")
    running.add_argument("--batch-size", type=int, default=8)
    running.add_argument("--workers", type=int, default=0, help="pytest-xdist workers")
    running.add_argument("--select", default="", help="run the cells that this pytest -k expression names")
    comparing = commands.add_parser("compare")
    comparing.add_argument("first", type=Path)
    comparing.add_argument("second", type=Path)
    comparing.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.command == "run":
        return run(options)
    return compare(options.first, options.second, options.out)


if __name__ == "__main__":
    raise SystemExit(main())
