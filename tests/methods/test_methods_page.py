"""The table in docs/methods.md says what the code does."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from pytest_sparsetol.methods.registry import METHODS

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"


def rows() -> dict[str, list[str]]:
    """Cells of the first table, by method."""
    table = PAGE.read_text(encoding="utf-8").split("\n\n|")[1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:] if "|" in line]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_every_method_has_a_row() -> None:
    assert set(rows()) == set(METHODS)


@pytest.mark.parametrize("name", rows())
def test_a_row_gives_phase_parameters_and_reach(name: str) -> None:
    phase, _, parameters, _, explicit, reach = rows()[name]
    method = METHODS[name]

    assert phase == method.phase
    given = {
        key: value for text in re.findall(r"`(\w+: [\w.]+)`", parameters) for key, value in yaml.safe_load(text).items()
    }
    assert given == {
        field.name: field.default
        for field in dataclasses.fields(method)
        if field.name not in {"sparsity", *method.explicit}
    }
    assert tuple(re.findall(r"`(\w+)`", explicit)) == method.explicit
    assert reach == " / ".join(f"{method(sparsity=0.5).reach(length):.2f}" for length in (1024, 2048))
