"""A certificate of a model, from end to end: what the sweep takes, and whether the contract that it writes holds.

    python -m benchmarks.certificate baselines/reference/model --work certificate
    python -m benchmarks.certificate baselines/reference/model --work certificate --repetitions 100

Writes a contract with every method into the work folder, records dense baselines, sweeps, and then gates the contract
that the sweep wrote again and again, each time on items of another seed, `--at-once` of them side by side, which take
the GPUs in turn. Run again, it goes on where it was stopped: the sweep keeps its finished cells, and each repetition is
a line of `repetitions.jsonl`. What came out goes to `certificate.md`.

`--so-far` runs nothing and prints the levels that a sweep which was stopped has finished; they are no claims, as those
hold together only once every sequence has ended.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch
import yaml
from sparsetol_suites.lengths import show_length

from benchmarks.plugin_options import plugin_options
from pytest_sparsetol.sweep.certificate import Certificate, read

FINISHED = ".pytest_cache/d/sparsetol-sweep"
METHODS = {
    "vertical_slash": "prefill",
    "block_sparse": "prefill",
    "flexprefill": "prefill",
    "sliding_window": "prefill",
    "snapkv": "kv",
    "ada_snapkv": "kv",
    "quest": "decode",
}


def contract(model: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every method by itself; a sweep does not read the sparsity that a deployment declares."""
    share = 1 / len(options.groups)
    return {
        "contract": 1,
        "model": {
            "path": str(model),
            "dtype": options.dtype,
            "batch_size": options.batch_size,
            "device": options.device,
        },
        "suite": options.suite,
        "lengths": options.lengths,
        "mix": dict.fromkeys(options.groups, share),
        "deployments": {name: {METHODS[name]: {"method": name, "sparsity": 0.01}} for name in options.methods},
        "gate": {
            "max_degradation": options.threshold,
            "items": {"max": options.items, "seed": options.seed},
            "untestable": "warn",
        },
        "sweep": {"levels": options.levels},
    }


def run(folder: Path, *arguments: str, quiet: bool = False, gpu: int | None = None) -> int:
    """Run pytest in the work folder; its output goes to the terminal."""
    command = [
        sys.executable, "-m", "pytest", *plugin_options(),
        *arguments, "--rootdir", str(folder), "-c", str(folder / "pytest.ini"),
    ]  # fmt: skip
    return subprocess.run(  # noqa: S603  # this interpreter, our files
        command, cwd=folder, check=False, stdout=subprocess.DEVNULL if quiet else None,
        env=os.environ | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": str(gpu)}),
    ).returncode  # fmt: skip


def repeat(folder: Path, seed: int) -> dict[str, Any]:
    """Gate the written contract on items of another seed."""
    data = yaml.safe_load((folder / "safe.sparsetol.yaml").read_text(encoding="utf-8"))
    data["gate"]["items"]["seed"] = seed
    data["baselines"] = f"baselines-{seed}"
    # The noise floor does not depend on the seed: with what is stored it is not measured again.
    shutil.copytree(folder / "baselines", folder / data["baselines"], dirs_exist_ok=True)
    path = folder / f"repeat-{seed}.sparsetol.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    report = folder / f"repeat-{seed}.json"
    gpus = torch.cuda.device_count()
    options = ["--sparsetol-record", "-q", "--sparsetol-json", str(report), "-p", "no:cacheprovider"]
    code = run(folder, path.name, *options, quiet=True, gpu=seed % gpus if gpus else None)
    cells = json.loads(report.read_text(encoding="utf-8"))
    verdicts = {one["node_id"].partition("::")[2]: one["verdict"] for one in (*cells["cells"], *cells["mix"])}
    return {"seed": seed, "exit": code, "verdicts": verdicts}


def markdown(
    certificate: Certificate, repetitions: list[dict[str, Any]], seconds: float, kept: int, predicted: str
) -> str:
    """Claims, effort, and how often the written contract was green against what was predicted."""
    groups = [*certificate.mix, "mix"]
    effort = certificate.effort
    grid = "" if effort.grid_seconds is None else f", about {effort.grid_seconds:.0f} s"
    lines = [
        f"# Safe sparsity of {certificate.model}",
        "",
        f"Made by `benchmarks/certificate.py` on {certificate.circumstances['device']}, batches of "
        f"{certificate.batch_size}; {certificate.sequences} claims hold together at confidence "
        f"{certificate.confidence:g}.",
        "",
        "| policy | length | " + " | ".join(groups) + " |",
        "|---|---|" + "---|" * len(groups),
    ]
    for policy, length in dict.fromkeys((claim.policy, claim.length) for claim in certificate.claims):
        found = {c.group: c for c in certificate.claims if (c.policy, c.length) == (policy, length)}
        cells = [
            "none" if found[group].safe is None else f"{found[group].safe:g}" if group in found else "-"
            for group in groups
        ]
        lines.append(f"| {policy} | {show_length(length)} | " + " | ".join(cells) + " |")
    lines += [
        "",
        f"The sweep ran {effort.items} items in {effort.cells} cells and answered for {effort.seconds:.0f} s, all "
        f"workers together; every level of every group would be {effort.grid_items} items in {effort.grid_cells} "
        f"cells{grid}. The last run, with loading and dense answers, took {seconds:.0f} s and began with {kept} "
        "finished cells.",
    ]
    if repetitions:
        green = sum(one["exit"] == 0 for one in repetitions)
        red: dict[str, int] = {}
        for one in repetitions:
            for cell, verdict in one["verdicts"].items():
                if verdict not in {"PASS", "UNTESTABLE"}:
                    red[cell] = red.get(cell, 0) + 1
        worst = ", ".join(f"{cell} {count}" for cell, count in sorted(red.items(), key=lambda e: -e[1])) or "none"
        lines += [
            "",
            f"The contract that it wrote was green on {green} of {len(repetitions)} fresh sets of items, each with a "
            f"seed of its own (predicted power {predicted}). Cells that did not pass, times: {worst}.",
        ]
    return "\n".join(lines) + "\n"


def so_far(folder: Path) -> str:
    """The verdict and loss of each level that a sweep kept in pytest's cache, by policy, length and group."""
    kept = sorted((folder / FINISHED).glob("*.json"))
    cells = [json.loads(path.read_text(encoding="utf-8"))["result"] for path in kept]
    rows: dict[tuple[str, int, str], dict[float, str]] = {}
    for cell in cells:
        (level,) = filter(None, cell["declared_sparsity"].values())
        row = rows.setdefault((cell["deployment"], cell["length"], cell["group"]), {})
        row[level] = f"{cell['verdict']} {100 * cell['degradation']:.1f} (n={cell['items']})"
    levels = sorted(set().union(*rows.values()))
    lines = [
        f"{len(cells)} levels on {', '.join(sorted({cell['device'] for cell in cells}))}: verdict of each by itself, "
        "points lost and items. The sweep was stopped before its end, so that none of this is a claim.",
        "",
        "| policy | length | group | " + " | ".join(f"{level:g}" for level in levels) + " |",
        "|---|---|---|" + "---|" * len(levels),
    ]
    for policy, length, group in sorted(rows):
        found = rows[policy, length, group]
        cut = " | ".join(found.get(level, "-") for level in levels)
        lines.append(f"| {policy} | {show_length(length)} | {group} | {cut} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Record, sweep, repeat."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="a model directory")
    parser.add_argument("--work", type=Path, required=True, help="folder for contract, baselines and results")
    parser.add_argument("--suite", default="frontier-small")
    parser.add_argument("--lengths", nargs="+", default=["1k", "2k"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--groups", nargs="+", default=["single_qa", "multi_qa", "multi_hop", "aggregation"])
    parser.add_argument("--levels", nargs="+", type=float, default=[0.5, 0.67, 0.8, 0.9, 0.933, 0.95])
    parser.add_argument("--threshold", type=float, default=0.10)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=0, help="pytest-xdist workers of the sweep")
    parser.add_argument("--minutes", type=float, help="begin no level of the sweep later (default: no limit)")
    parser.add_argument("--repetitions", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=1, help="repetitions side by side")
    parser.add_argument("--so-far", action="store_true", help="print the levels that a stopped sweep has finished")
    options = parser.parse_args()
    folder = options.work.resolve()
    if options.so_far:
        print(so_far(folder), end="")
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    text = yaml.safe_dump(contract(options.model.resolve(), options), sort_keys=False)
    (folder / "sparsetol.yaml").write_text(text, encoding="utf-8")
    kept = len(list((folder / FINISHED).glob("*.json")))
    begun = time.monotonic()
    more = ["-n", str(options.workers)] if options.workers else []
    more += [] if options.minutes is None else ["--sparsetol-sweep-minutes", str(options.minutes)]
    if run(folder, "sparsetol.yaml", "--sparsetol-sweep", "--sparsetol-record", *more):
        sys.exit("the sweep did not end; run this again to go on")
    seconds = time.monotonic() - begun
    certificate = read(folder / "certificate.json")
    log = folder / "repetitions.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    repetitions = [json.loads(line) for line in lines]
    safe = folder / "safe.sparsetol.yaml"
    if safe.exists():
        done = {one["seed"] for one in repetitions}
        # The sweep's own items have `seed`; the written contract's the next.
        seeds = [seed for seed in range(options.seed + 1, options.seed + 1 + options.repetitions) if seed not in done]
        with ThreadPoolExecutor(options.at_once) as pool:
            for waiting in as_completed([pool.submit(repeat, folder, seed) for seed in seeds]):
                repetitions.append(waiting.result())
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(repetitions[-1]) + "\n")
    written = re.search(r"with power (\d\.\d+)", safe.read_text(encoding="utf-8")) if safe.exists() else None
    result = markdown(certificate, repetitions, seconds, kept, written[1] if written else "none")
    (folder / "certificate.md").write_text(result, encoding="utf-8")
    print(result)


if __name__ == "__main__":
    main()
