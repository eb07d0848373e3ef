"""Values that several keys of a contract take: shares, sparsities and their schedules, lengths, names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field
from sparsetol_suites.lengths import parse_length, show_length

NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"
"""Names of models, deployments, groups and profiles: they become parts of node ids and file names."""


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number; write a fraction such as 0.05")
    return float(value)


def _sparsity(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a sparsity; write a fraction of at least 0 and under 1, such as 0.90")
    if not 0 <= value < 1:
        raise ValueError(f"{value!r} is not a sparsity of at least 0 and under 1; 0.95 keeps a twentieth")
    return float(value)


def _schedule(value: object) -> float | dict[int, float]:
    """One sparsity, or one for each length."""
    if not isinstance(value, Mapping):
        return _sparsity(value)
    schedule: dict[int, float] = {}
    for key, entry in value.items():
        length = parse_length(key)
        if length in schedule:
            raise ValueError(f"{show_length(length)} stands twice in the schedule")
        schedule[length] = _sparsity(entry)
    return schedule


Length = Annotated[int, BeforeValidator(parse_length)]
"""Tokens."""

Share = Annotated[float, BeforeValidator(_share), Field(gt=0, le=1)]
Confidence = Annotated[float, BeforeValidator(_share), Field(ge=0.5, lt=1)]
Sparsity = Annotated[float, BeforeValidator(_sparsity)]

Schedule = Annotated[float | dict[int, float] | None, BeforeValidator(_schedule)]
"""One sparsity, or one for each length; None where the key is left out."""

Name = Annotated[str, Field(pattern=NAME)]
