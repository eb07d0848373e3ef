"""What docs/kernels.md says of the operations is what they are, and its example runs."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import torch
from sparsetol_kernels import (
    block_selection,
    block_sparse_attention,
    line_budget,
    snapkv,
    sparse_decode,
    vertical_slash,
    vertical_slash_attention,
)

PAGE = (Path(__file__).parents[2] / "docs" / "kernels.md").read_text(encoding="utf-8")
ROWS = {
    name: (module, taken)
    for name, module, taken in re.findall(r"^\| `(\w+)` \| `(\w+)` \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE)
}


def blocks(of: tuple[int, ...]) -> str:
    return f"blocks of {', '.join(map(str, of))}"


def heads(least: int, most: int) -> str:
    return f"heads of {least} to {most}"


def test_the_table_is_read() -> None:
    assert len(ROWS) == PAGE.split("## What runs")[0].count("\n| `")


@pytest.mark.parametrize("name", ROWS)
def test_an_operation_is_where_the_page_says(name: str) -> None:
    module, _ = ROWS[name]

    assert callable(getattr(importlib.import_module(f"sparsetol_kernels.{module}"), name))


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        (
            "block_sparse_attention",
            [blocks(block_sparse_attention.BLOCKS), heads(*block_sparse_attention.HEAD_SIZES)],
        ),
        ("select_blocks", [f"up to {block_selection._MOST_BLOCKS:,} blocks"]),
        (
            "vertical_slash_attention",
            [f"row {blocks(vertical_slash_attention.BLOCKS)}", heads(*vertical_slash_attention.HEAD_SIZES)],
        ),
        ("vertical_slash_scores", [heads(16, vertical_slash.LARGEST_HEAD)]),
        (
            "lines_that_fit",
            [
                f"row {blocks(tuple(line_budget.LONGEST))}",
                f"{line_budget.LONGEST[16]:,} tokens, {line_budget.LONGEST[32]:,} from 32 on",
            ],
        ),
        ("snapkv_scores", [f"heads up to {snapkv.LARGEST_HEAD}"]),
        ("sparse_decode_attention", [f"heads up to {sparse_decode.LARGEST_HEAD}"]),
    ],
)
def test_the_page_gives_the_limits_of_kernels(name: str, limits: list[str]) -> None:
    assert ROWS[name][1].split("; ") == limits


def test_the_example_attends_the_lists(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    torch.manual_seed(0)
    names: dict[str, torch.Tensor] = {}

    exec(example, names)  # noqa: S102  # a page of ours

    query, key, value, index = (names[name].cpu() for name in ("query", "key", "value", "index"))
    # The last row of the first head, in row block 7, whose own keys end at 999.
    keys = torch.cat([torch.arange(block * 128, min(block * 128 + 128, 1000)) for block in index[0, 0, 7].tolist()])
    weights = (key[0, 0, keys] @ query[0, 0, 999] * 64**-0.5).softmax(dim=0)
    torch.testing.assert_close(names["out"][0, 0, 999].cpu(), weights @ value[0, 0, keys], atol=1e-4, rtol=0)
    assert capsys.readouterr().out.strip() in {"pytorch", "triton", "gluon"}
