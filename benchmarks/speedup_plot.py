"""Draws `speedup.svg` from `prefill-h200.json`, `lines-h200.json` and `decode-h100.json`: times faster than dense.

Each file is of one run, and holds the dense times that its rows are compared with.

python -m benchmarks.speedup_plot
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
LINES = {
    "block-sparse 128, selection included": "#1f6f8b",
    "block-sparse 128, lists given": "#8fc1d4",
    "vertical-slash, selection included": "#c8553d",
    "FlashAttention-4 block-sparse, lists given": "#588157",
    "FlexAttention, lists given": "#7b2d8b",
}
WIDTH, HEIGHT, MARGIN = 270, 270, 44
LOWEST, HIGHEST = 0.25, 32.0
LEAST, MOST = 0.45, 1.0
"""Sparsities at the sides of a panel."""


def named(row: dict[str, Any]) -> tuple[str, float] | None:
    """The line that a row of prefill belongs to, and its sparsity."""
    what: str = row["what"]
    if "method" in row:
        is_whole = (row["method"], what, row.get("gathered")) == ("vertical-slash", "whole", False)
        return ("vertical-slash, selection included", row["attended"]) if is_whole else None
    if row.get("block") != 128 or what.endswith("graph"):
        return None
    if what.startswith("ours, whole"):
        return "block-sparse 128, selection included", row["sparsity"]
    if what.startswith("ours, "):
        return "block-sparse 128, lists given", row["sparsity"]
    others = {"FlashAttention-4": "FlashAttention-4 block-sparse", "FlexAttention": "FlexAttention"}
    return (f"{others[what]}, lists given", row["sparsity"]) if what in others else None


def prefill(rows: Iterable[dict[str, Any]], length: int) -> dict[str, list[tuple[float, float]]]:
    """Points of each line at one length: sparsity and dense time over its own; the faster of two backends."""
    timed = [row for row in rows if row.get("length") == length and "ms" in row]
    (dense,) = (row["ms"] for row in timed if row["what"] == "dense FlashAttention-3")
    points: dict[str, dict[float, float]] = {}
    for row in timed:
        where = named(row)
        if where is not None:
            line = points.setdefault(where[0], {})
            line[where[1]] = max(line.get(where[1], 0.0), dense / row["ms"])
    return {name: sorted(points[name].items()) for name in LINES if name in points}


def _down(times: float) -> float:
    share = math.log(min(max(times, LOWEST), HIGHEST) / LOWEST) / math.log(HIGHEST / LOWEST)
    return MARGIN + (HEIGHT - 2 * MARGIN) * (1 - share)


def _across(sparsity: float, left: float) -> float:
    return left + MARGIN + (WIDTH - MARGIN - 12) * (sparsity - LEAST) / (MOST - LEAST)


def frame(title: str, left: float) -> list[str]:
    """Title, and a line for each doubling."""
    parts = [f'<text x="{left + MARGIN}" y="24" font-weight="bold">{title}</text>']
    for power in range(round(math.log2(LOWEST)), round(math.log2(HIGHEST)) + 1):
        y, colour = _down(2.0**power), "#888" if power == 0 else "#ddd"
        parts.append(
            f'<line x1="{left + MARGIN}" y1="{y:.1f}" x2="{left + WIDTH - 12}" y2="{y:.1f}" stroke="{colour}"/>'
        )
        parts.append(f'<text x="{left + MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{2.0**power:g}x</text>')
    return parts


def panel(lines: dict[str, list[tuple[float, float]]], length: int, left: float) -> list[str]:
    """Prefill of one length, and what leaving out that share of the work could give at most."""
    parts = frame(f"prefill, {length // 1024}k tokens", left)
    for sparsity in (0.5, 0.6, 0.7, 0.8, 0.9):
        x = _across(sparsity, left)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{sparsity:g}</text>')
    ideal = [LEAST + (0.965 - LEAST) * step / 60 for step in range(61)]
    track = " ".join(f"{_across(sparsity, left):.1f},{_down(1 / (1 - sparsity)):.1f}" for sparsity in ideal)
    parts.append(f'<polyline points="{track}" fill="none" stroke="#000" stroke-dasharray="4 3"/>')
    for name, points in lines.items():
        places = [(_across(sparsity, left), _down(times), sparsity, times) for sparsity, times in points]
        track = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in places)
        parts.append(f'<polyline points="{track}" fill="none" stroke="{LINES[name]}" stroke-width="1.6"/>')
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.8" fill="{LINES[name]}">'
            f"<title>{name}, sparsity {sparsity:.3f}: {times:.2f}x</title></circle>"
            for x, y, sparsity, times in places
        ]
    return parts


def bars(rows: Iterable[dict[str, Any]], left: float) -> list[str]:
    """Decoding with Quest at 0.9: a bar for each length and batch."""
    shapes = [row for row in rows if row["label"] == "summary"]
    parts = frame("decoding, Quest at 0.9", left)
    step = (WIDTH - MARGIN - 12) / len(shapes)
    for place, row in enumerate(sorted(shapes, key=lambda row: (row["length"], row["batch"]))):
        x, y, bottom = left + MARGIN + step * (place + 0.2), _down(row["speedup"]), _down(1.0)
        parts.append(
            f'<rect x="{x:.1f}" y="{min(y, bottom):.1f}" width="{0.6 * step:.1f}" height="{abs(bottom - y):.1f}" '
            f'fill="#1f6f8b"/>'
        )
        middle = x + 0.3 * step
        parts.append(f'<text x="{middle:.1f}" y="{y - 4:.1f}" text-anchor="middle">{row["speedup"]:.1f}x</text>')
        for line, text in enumerate((f"{row['length'] // 1024}k", f"batch {row['batch']}")):
            parts.append(
                f'<text x="{middle:.1f}" y="{HEIGHT - MARGIN + 16 + 13 * line}" text-anchor="middle">{text}</text>'
            )
    return parts


def draw(runs: Sequence[Sequence[dict[str, Any]]], decoded: Sequence[dict[str, Any]]) -> str:
    """All panels as SVG."""
    lengths = sorted({row["length"] for row in runs[0] if row["what"] == "dense FlashAttention-3" and "ms" in row})
    width, height = WIDTH * (len(lengths) + 1), HEIGHT + 52
    (device,) = {row["device"] for rows in runs for row in rows if row["what"] == "run"}
    (other,) = (row["name"] for row in decoded if row["label"] == "device")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for place, length in enumerate(lengths):
        lines = {name: points for rows in runs for name, points in prefill(rows, length).items()}
        parts += panel(lines, length, WIDTH * place)
    parts += bars(decoded, WIDTH * len(lengths))
    for place, (name, colour) in enumerate(LINES.items()):
        x, y = MARGIN + 265 * (place % 3), HEIGHT + 8 + 16 * (place // 3)
        parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/><text x="{x + 9}" y="{y + 4}">{name}</text>')
    parts.append(
        f'<text x="{MARGIN - 4}" y="{HEIGHT + 44}">- -&#160; 1 / (1 - sparsity). Times faster than '
        f"FlashAttention-3 dense on {device} (decoding: than the best dense, on {other})</text>"
    )
    parts.append(f'<text x="{MARGIN}" y="{HEIGHT - 12}">sparsity</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    """Read the results and draw them."""
    *runs, decoded = (
        json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("prefill-h200", "lines-h200", "decode-h100")
    )
    (RESULTS / "speedup.svg").write_text(draw(runs, decoded), encoding="utf-8")


if __name__ == "__main__":
    main()
