"""How often does a certificate claim a level that is not safe? A simulation of whole sweeps.

    nice python benchmarks/sweep.py                # some minutes on one idle core
    nice python benchmarks/sweep.py --runs 2000    # a rough look

Each run is a whole sweep: sequences of ascending levels, where the same items answer every level of a sequence and, in
one scene, every sequence. Claims come from `pytest_sparsetol.statistics.fixed_sequences.shown_safe` on exact p-values,
as in the plugin. Cells that the plugin ends early run to their end here: it counts them as not shown, so that its error
can only be smaller. Beside it stands what a sweep without control would claim: every sequence at alpha.
`tests/statistics/test_sweep_simulation.py` compares the batched p-values with the public ones.

Writes `benchmarks/results/sweep.json` and `sweep.md`.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.verdict_simulation import ALPHA, CONFIDENCE, KINDS, Batch, Integers, Kind
from pytest_sparsetol.statistics.fixed_sequences import shown_safe

Floats = npt.NDArray[np.float64]
RESULTS = Path(__file__).parent / "results"
ITEMS = 200
THRESHOLD = 0.05
CHUNK = 1000


@dataclass(frozen=True)
class Scene:
    """A sweep's true losses.

    Attributes:
        losses: per sequence, the true mean loss at each level, in thresholds. A level of 1 or more is unsafe.
        shared: whether all sequences meet the same luck (the same items), or each its own.

    """

    name: str
    losses: tuple[tuple[float, ...], ...]
    shared: bool = False
    discordance: float = 0.0


def _safe(levels: int) -> tuple[float, ...]:
    return tuple(0.02 * (level + 1) for level in range(levels))


AT_FIRST = (1.0,)
AT_SECOND = (0.05, 1.0)
SCENES = (
    Scene("one sequence, unsafe from its first level", (AT_FIRST,)),
    Scene("8 sequences, all unsafe from their first level", (AT_FIRST,) * 8),
    Scene("8 sequences that share their items, all unsafe from the first level", (AT_FIRST,) * 8, shared=True),
    Scene("8 sequences, all unsafe from their second level", (AT_SECOND,) * 8),
    Scene("32 sequences, all unsafe from their first level", (AT_FIRST,) * 32),
    Scene("7 safe to the end, one unsafe from its first level", (_safe(2),) * 7 + (AT_FIRST,)),
    Scene("4 safe to the end, 4 unsafe from their second level", (_safe(2),) * 4 + (AT_SECOND,) * 4),
    Scene("8 sequences at the threshold, changes both ways (20 %)", (AT_FIRST,) * 8, discordance=0.2),
)
OTHER_KINDS = {("8 sequences, all unsafe from their first level", kind) for kind in ("F1-like", "zero-inflated")}
"""Drawn with these scores too; all scenes are drawn with binary ones. 200 clustered items can show none of this."""


class Whole(Batch):
    """Runs whose cells all go to their end."""

    def _stops(self) -> Integers:
        return np.full(len(self.totals), self.totals.shape[1])


def p_values(random: np.random.Generator, runs: int, kind: Kind, scene: Scene) -> list[list[Floats]]:
    """By sequence and level, one p-value a run."""
    documents = ITEMS // kind.cluster
    luck: dict[float, Floats] = {}
    found: list[list[Floats]] = []
    for levels in scene.losses:
        row: list[Floats] = []
        state = random.bit_generator.state
        own: dict[float, Floats] = {}
        for times in levels:
            cache = luck if scene.shared else own
            if times not in cache:
                # The same numbers at every level: a level's items are those of the level below.
                replay = np.random.default_rng()
                replay.bit_generator.state = state
                loss = times * THRESHOLD
                discordance = kind.discordance(scene.discordance, loss) or loss / kind.typical
                cache[times] = Whole(kind.draw(replay, runs, ITEMS, discordance, loss), kind.cluster, THRESHOLD).upper(
                    documents
                )
                last = replay.bit_generator.state
            row.append(cache[times])
        if not scene.shared:
            random.bit_generator.state = last
        found.append(row)
    if scene.shared:
        random.bit_generator.state = last
    return found


def rates(random: np.random.Generator, runs: int, kind: Kind, scene: Scene) -> dict[str, Any]:
    """Share of sweeps with a false claim, with control and without, and claims of safe levels made."""
    false = naive = shown = 0
    safe = [sum(1 for times in _until_unsafe(levels)) for levels in scene.losses]
    lengths = [len(levels) for levels in scene.losses]
    for begin in range(0, runs, CHUNK):
        count = min(CHUNK, runs - begin)
        values = p_values(random, count, kind, scene)
        for run in range(count):
            sequences = [[float(level[run]) for level in row] for row in values]
            claims = [claim.levels for claim in shown_safe(sequences, lengths, ALPHA)]
            false += any(claim > most for claim, most in zip(claims, safe, strict=True))
            shown += sum(min(claim, most) for claim, most in zip(claims, safe, strict=True))
            alone = [_leading(row) for row in sequences]
            naive += any(claim > most for claim, most in zip(alone, safe, strict=True))
    return {
        "scene": scene.name,
        "kind": kind.name,
        "sequences": len(scene.losses),
        "runs": runs,
        "false": round(false / runs, 5),
        "uncontrolled": round(naive / runs, 5),
        "safe_levels_shown": round(shown / (runs * max(1, sum(safe))), 4) if sum(safe) else None,
    }


def _until_unsafe(levels: Sequence[float]) -> Sequence[float]:
    unsafe = next((place for place, times in enumerate(levels) if times >= 1), len(levels))
    return levels[:unsafe]


def _leading(p: Sequence[float]) -> int:
    return next((place for place, value in enumerate(p) if value > ALPHA), len(p))


def markdown(study: dict[str, Any]) -> str:
    """The table."""
    rows: list[dict[str, Any]] = study["rows"]
    lines = [
        "# Error of a sweep's claims, simulated",
        "",
        f"Made by `benchmarks/sweep.py` in {study['seconds'] / 60:.0f} minutes: {study['runs']:,} sweeps a line, "
        f"confidence {CONFIDENCE}, {ITEMS} items a cell, threshold {THRESHOLD}, seed {study['seed']}; "
        f"Python {study['python']}, numpy {study['numpy']}. "
        f"The standard error of a rate of 5 % is {100 * (0.05 * 0.95 / study['runs']) ** 0.5:.2f} points.",
        "",
        "A sweep errs when it calls any level of any sequence safe whose true loss is at least the threshold. Unsafe "
        "levels lie exactly at the threshold, where erring is easiest, and no cell ends early. All levels of a "
        "sequence meet the same items. `each at alpha` is what a sweep without control over its sequences would do. "
        "Kinds of scores as in [verdicts.md](verdicts.md).",
        "",
        "| true losses | scores | sweeps with a false claim, % (at most 5) | each at alpha, % | safe levels shown, % |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        shown = "" if row["safe_levels_shown"] is None else f"{100 * row['safe_levels_shown']:.1f}"
        lines.append(
            f"| {row['scene']} | {row['kind']} | {100 * row['false']:.2f} | {100 * row['uncontrolled']:.2f} | {shown} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the study and write its results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=20_000, help="sweeps a line (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=2025)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to (default: %(default)s)")
    options = parser.parse_args()
    begun = time.monotonic()
    rows = []
    pairs = [
        (scene, kind)
        for scene in SCENES
        for kind in KINDS
        if kind.name == "binary" or (scene.name, kind.name) in OTHER_KINDS
    ]
    for (scene, kind), child in zip(pairs, np.random.SeedSequence(options.seed).spawn(len(pairs)), strict=True):
        rows.append(rates(np.random.default_rng(child), options.runs, kind, scene))
        print(f"{time.monotonic() - begun:.0f} s", rows[-1], flush=True)
    study: dict[str, Any] = {
        "runs": options.runs,
        "seed": options.seed,
        "confidence": CONFIDENCE,
        "items": ITEMS,
        "threshold": THRESHOLD,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seconds": round(time.monotonic() - begun),
        "rows": rows,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    body = ",\n".join(json.dumps(row) for row in rows)
    head = json.dumps({key: value for key, value in study.items() if key != "rows"})[:-1]
    (options.out / "sweep.json").write_text(f'{head}, "rows": [\n{body}\n]}}\n', encoding="utf-8")
    (options.out / "sweep.md").write_text(markdown(study), encoding="utf-8")
    print(markdown(study))


if __name__ == "__main__":
    main()
