"""Draws `verdicts.svg` from `verdicts.json`: false PASS and false FAIL of every point, against the number of items.

python benchmarks/verdicts_plot.py
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
COLOURS = {"binary": "#1f6f8b", "F1-like": "#c8553d", "zero-inflated": "#588157", "clustered": "#7b2d8b"}
WIDTH, HEIGHT, MARGIN = 360, 240, 48
HIGHEST = 0.06


def panel(rows: Sequence[dict[str, Any]], verdict: str, title: str, left: int) -> list[str]:
    """One diagram: a dot a point, kinds side by side at each number of items, and the line that none may cross."""
    items = sorted({row["items"] for row in rows})
    column = (WIDTH - MARGIN - 12) / len(items)

    def across(number: int, kind: str) -> float:
        return left + MARGIN + column * (items.index(number) + 0.2 + 0.2 * list(COLOURS).index(kind))

    def down(rate: float) -> float:
        return MARGIN + (HEIGHT - 2 * MARGIN) * (1 - rate / HIGHEST)

    right = left + WIDTH - 12
    parts = [f'<text x="{left + MARGIN}" y="24" font-weight="bold">{title}</text>']
    for percent in range(7):
        y = down(percent / 100)
        style = 'stroke="#b00020" stroke-dasharray="5 3"' if percent == 5 else 'stroke="#ddd"'
        parts.append(f'<line x1="{left + MARGIN}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" {style}/>')
        parts.append(f'<text x="{left + MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>')
    for number in items:
        x = left + MARGIN + column * (items.index(number) + 0.5)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{number}</text>')
    for row in rows:
        x, y = across(row["items"], row["kind"]), down(min(row[verdict], HIGHEST))
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{COLOURS[row["kind"]]}" fill-opacity="0.55">'
            f"<title>{row['kind']}, threshold {row['threshold']:g}, discordance {row['discordance']:g}, "
            f"n = {row['items']}: {100 * row[verdict]:.2f} %</title></circle>"
        )
    return parts


def draw(grid: Sequence[dict[str, Any]]) -> str:
    """Both diagrams as SVG."""
    early = [row for row in grid if row["early"]]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" height="{HEIGHT + 24}" '
        f'font-family="sans-serif" font-size="11">',
        f'<rect width="{2 * WIDTH}" height="{HEIGHT + 24}" fill="white"/>',
        *panel([row for row in early if row["times"] == 1], "pass", "PASS at a loss equal to the threshold", 0),
        *panel([row for row in early if row["times"] == 0], "fail", "FAIL without loss", WIDTH),
        f'<text x="{MARGIN}" y="{HEIGHT - 8}">items; each dot is a threshold and a discordance</text>',
    ]
    for place, (kind, colour) in enumerate(COLOURS.items()):
        x = MARGIN + 110 * place
        parts.append(f'<circle cx="{x + 4}" cy="{HEIGHT + 10}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 13}" y="{HEIGHT + 14}">{kind}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    """Read the results and draw them."""
    study = json.loads((RESULTS / "verdicts.json").read_text(encoding="utf-8"))
    (RESULTS / "verdicts.svg").write_text(draw(study["grid"]), encoding="utf-8")


if __name__ == "__main__":
    main()
