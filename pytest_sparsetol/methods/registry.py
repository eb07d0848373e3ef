"""The methods that contracts can name: ours, one line each, a team's own, and those of other packages."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from pytest_sparsetol.methods.base import DecodeMethod, KvMethod, Method, Phase, PrefillMethod
from pytest_sparsetol.methods.block_sparse import BlockSparse
from pytest_sparsetol.methods.flexprefill import FlexPrefill
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.sliding_window import SlidingWindow
from pytest_sparsetol.methods.snapkv import SnapKV
from pytest_sparsetol.methods.vertical_slash import VerticalSlash

ENTRY_POINTS = "sparsetol.methods"
"""Group of entry points by which an installed package brings methods: `name = module:Class`."""

METHODS: dict[str, type[Method]] = {
    "ada_snapkv": AdaSnapKV,
    "block_sparse": BlockSparse,
    "flexprefill": FlexPrefill,
    "quest": Quest,
    "sliding_window": SlidingWindow,
    "snapkv": SnapKV,
    "vertical_slash": VerticalSlash,
}

_OWN: dict[str, type[Method]] = {}

M = TypeVar("M", bound=type[Method])


def register_method(method: M) -> M:
    """Let contracts name `method`, a frozen dataclass under PrefillMethod, KvMethod or DecodeMethod; a decorator.

    Call it in a `conftest.py` beside or above the contract, which every process of a run loads before the contract.

    Raises `MethodError` for a class that cannot be run and for a name that is taken. The same class again, as when a
    file is loaded twice, takes its own place.
    """
    _require_method(method, f"{method!r}")
    taken = METHODS.get(method.name) or _OWN.get(method.name)
    if taken is not None and _place(taken) != _place(method):
        whose = "is built in" if method.name in METHODS else f"is {_place(taken)[1]} of {_place(taken)[0]}"
        raise MethodError(f"{_place(method)[1]} cannot be method {method.name!r}: that {whose}; name it otherwise")
    _OWN[method.name] = method
    return method


def method_class(name: str) -> type[Method] | None:
    """The method that contracts call `name`, None where nothing has that name.

    Raises `MethodError` where packages disagree on the name, or where the package that has it cannot be used.
    """
    points = _points().get(name, [])
    known = METHODS.get(name) or _OWN.get(name)
    if known is not None:
        points = [point for point in points if point.value != f"{known.__module__}:{known.__qualname__}"]
    if len(points) + (known is not None) > 1:
        held = [*(["this plugin" if name in METHODS else "a conftest.py"] if known else []), *map(_source, points)]
        raise MethodError(f"method {name!r} is ambiguous: {' and '.join(held)} each have one of that name; rename one")
    return known if known is not None or not points else _load(points[0])


def method_names(phase: Phase) -> list[str]:
    """Names that may stand for a method of `phase`; those of packages are listed unseen."""
    known = {**METHODS, **_OWN}
    return [name for name, method in known.items() if method.phase == phase] + [
        name for name in _points() if name not in known
    ]


@functools.cache
def _points() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        found.setdefault(point.name, []).append(point)
    return found


def _load(point: EntryPoint) -> type[Method]:
    try:
        method = getattr(importlib.import_module(point.module), point.attr)
    except Exception as error:  # whatever the package's import raises
        raise MethodError(
            f"method {point.name!r} of {_source(point)} cannot be imported: {type(error).__name__}: {error}"
        ) from None
    _require_method(method, f"method {point.name!r} of {_source(point)}")
    if method.name != point.name:
        raise MethodError(f"method {point.name!r} of {_source(point)} calls itself {method.name!r}; they must agree")
    checked: type[Method] = method
    return checked


def _require_method(method: object, what: str) -> None:
    if not (isinstance(method, type) and issubclass(method, PrefillMethod | KvMethod | DecodeMethod)):
        raise MethodError(
            f"{what} is no subclass of PrefillMethod, KvMethod or DecodeMethod (pytest_sparsetol.methods)"
        )
    if "__dataclass_params__" not in vars(method):
        raise MethodError(f"{what} must be a dataclass itself: write @dataclass(frozen=True) above it")
    if inspect.isabstract(method):
        raise MethodError(f"{what} does not define {', '.join(sorted(method.__abstractmethods__))}")
    name = getattr(method, "name", None)
    if not (isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_]*", name)) or name == "dense":
        raise MethodError(f"{what} needs a name of lower-case letters, digits and underscores, not {name!r}")


def _source(point: EntryPoint) -> str:
    dist = f"{point.dist.name} " if point.dist is not None else ""
    return f"{dist}(entry point {point.name} = {point.value})"


def _place(method: type[Method]) -> tuple[str, str]:
    """File and name of a class: the same for a class whose file was loaded twice."""
    file = getattr(sys.modules.get(method.__module__), "__file__", None)
    return file or method.__module__, method.__qualname__
