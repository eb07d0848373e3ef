"""Parameters that a YAML file gives to a frozen dataclass: known names, declared types, no conversion."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sparsetol_suites.located_yaml import nearest

T = TypeVar("T")


class ParameterError(ValueError):
    """A parameter is unknown or of another type; `parameter` names it."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


def check(kind: type[Any], name: str, given: Mapping[str, Any], *, own: Collection[str] = ()) -> dict[str, Any]:
    """The given parameters, checked against the fields of the dataclass `kind`, which people call `name`.

    Args:
        kind: a dataclass.
        name: for the error's text.
        given: values by parameter.
        own: fields that are set elsewhere and cannot be given here.

    Raises:
        ParameterError: for the first that is unknown, not of its field's type, or needed and not given.

    """
    known = [field.name for field in dataclasses.fields(kind) if field.name not in own]
    hints = typing.get_type_hints(kind)
    checked: dict[str, Any] = {}
    for parameter, value in given.items():
        if parameter not in known:
            raise ParameterError(parameter, f"unknown parameter {parameter!r} of {name}; {nearest(parameter, known)}")
        try:
            checked[parameter] = TypeAdapter(hints[parameter]).validate_python(value, strict=True)
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise ParameterError(parameter, f"{parameter}: {value!r}: {message[0].lower()}{message[1:]}") from None
    for field in dataclasses.fields(kind):
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if needed and field.name not in {*own, *checked}:
            raise ParameterError(field.name, f"missing parameter {field.name!r} of {name}")
    return checked
