"""docs/contract.md names every key of a contract, with the default that it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pytest_sparsetol.contract.spec import ContractSpec, DeploymentSpec, GateSpec, ItemsSpec, ModelSpec, SweepSpec

PAGE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text(encoding="utf-8")
INSIDE: dict[str, type[BaseModel]] = {
    "model": ModelSpec,
    "deployments": DeploymentSpec,
    "gate": GateSpec,
    "gate.items": ItemsSpec,
    "sweep": SweepSpec,
}


def keys(spec: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Each key that holds a value, as the page writes it."""
    for name, field in spec.model_fields.items():
        path = prefix + name
        inner = INSIDE.get(path)
        if inner is None or path in {"model", "deployments"}:
            yield path, field
        if inner is not None:
            yield from keys(inner, f"{path}.<name>." if path == "deployments" else f"{path}.")


def as_yaml(value: Any) -> str:
    """A default in one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("...\n").strip()


def test_every_key_is_there_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \|(.*?)\|", PAGE, re.MULTILINE))
    settings = {"sparsetol_files", "sparsetol_collect"}

    wanted = {
        path: "" if field.is_required() else f"`{as_yaml(field.get_default(call_default_factory=True))}`"
        for path, field in keys(ContractSpec)
    }

    assert {path: text.strip() for path, text in rows.items() if path not in settings} == wanted
