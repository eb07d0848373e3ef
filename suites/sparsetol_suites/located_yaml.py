"""YAML files whose errors name the place: file, line, column, the value found, and what would be right.

Contracts and suites are both read through `load` and checked through `Document.validate`. Only `yaml` and `pydantic`
are imported, and files are read with a safe loader.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

MAX_BYTES = 1 << 20
"""A contract or suite of more than 1 MiB is a mistake: data belongs in files that the YAML names."""

NO_KEYS = frozenset({"bool", "null", "timestamp"})
"""What YAML may take a key for that was meant as text, such as `on`, `~` and `2026-12-01`."""
NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
"""Characters that can be written with escapes, and that neither paths nor JSON can hold."""

Loc = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


class LocatedError(ValueError):
    """Something in a file is wrong; the text reads `path:line:column: message`."""

    def __init__(self, message: str, path: Path, line: int | None = None, column: int | None = None) -> None:
        place = ":".join(str(part) for part in (path, line, column) if part is not None)
        super().__init__(f"{place}: {message}")
        self.message = message
        self.path = path
        self.line = line
        self.column = column


class _Loader(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Give a value that is not of its type a place: what converts it raises any error, without one."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            # Only the first says something to a reader.
            why = f" ({error})" if isinstance(error, ValueError) else ""
            problem = f"{_show(node.value)} is no {_type(node)}{why}; put text in quotes"
            raise yaml.MarkedYAMLError(None, None, problem, node.start_mark) from None


@dataclass(frozen=True)
class Document:
    """A parsed YAML mapping and where each of its parts stands in the file."""

    path: Path
    data: dict[str, Any]
    root: yaml.MappingNode

    def position(self, loc: Loc) -> tuple[int, int]:
        """Line and column, counted from 1, of the value at `loc`, or of the nearest part around it that exists."""
        node: yaml.Node = self.root
        mark = node.start_mark
        for part in loc:
            step = _child(node, part)
            if step is None:
                break
            mark, node = step
        return mark.line + 1, mark.column + 1

    def key_position(self, loc: Loc) -> tuple[int, int]:
        """Line and column, counted from 1, of the key that ends `loc`."""
        node: yaml.Node = self.root
        for part in loc[:-1]:
            step = _child(node, part)
            if step is None:
                return self.position(loc)
            node = step[1]
        if isinstance(node, yaml.MappingNode):
            for key, _ in node.value:
                if key.value == str(loc[-1]):
                    return key.start_mark.line + 1, key.start_mark.column + 1
        return self.position(loc)

    def error(self, loc: Loc, message: str) -> LocatedError:
        """An error about the part at `loc`; the caller raises it."""
        return LocatedError(message, self.path, *self.position(loc))

    def validate(self, model: type[M]) -> M:
        """Check the data against `model`; raise one `LocatedError` about the first thing that is wrong."""
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            errors = error.errors()
            # A misspelt key is missing too: say it once.
            misspelt = {item["loc"][:-1] for item in errors if item["type"] == "extra_forbidden"}
            found = [
                (
                    self.key_position(item["loc"]) if item["type"] == "extra_forbidden" else self.position(item["loc"]),
                    item,
                )
                for item in errors
                if item["type"] != "missing" or item["loc"][:-1] not in misspelt
            ]
            (line, column), first = min(found, key=lambda entry: entry[0])
            message = _explain(first, model)
            others = len({place for place, _ in found} - {(line, column)})
            if others:
                message += f" (and {others} more to mend after this one)"
            raise LocatedError(message, self.path, line, column) from None


def load(path: Path) -> Document:
    """Read one YAML mapping from `path`; raise `LocatedError` for anything else, duplicate keys included."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LocatedError(f"cannot be read: {error.strerror}", path) from None
    if len(raw) > MAX_BYTES:
        raise LocatedError(f"has {len(raw)} bytes; at most {MAX_BYTES} are read", path)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise LocatedError(f"byte {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8", path, line) from None
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        problem = f"the character {chr(error.character)!r} is not allowed in YAML"
        raise LocatedError(problem, path, line, column) from None
    try:
        root = loader.get_single_node()
        if root is None:
            raise LocatedError("is empty; a mapping of keys to values is needed", path)
        if not isinstance(root, yaml.MappingNode):
            raise LocatedError(
                f"holds a {_kind(root)}; a mapping of keys to values is needed", path, root.start_mark.line + 1, 1
            )
        _check_keys(root, path)
        data = loader.construct_document(root)
        if not isinstance(data, dict):
            raise LocatedError(f"holds a {_type(root)}; a mapping of keys to values is needed", path, 1, 1)
    except RecursionError:
        raise LocatedError("is nested too deeply", path) from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, path, text) from None
    except yaml.YAMLError as error:
        raise LocatedError(f"is not valid YAML: {error}", path) from None
    finally:
        loader.dispose()
    return Document(path, data, root)


def nearest(word: object, known: Iterable[str]) -> str:
    """A suggestion for a misspelt `word`: the nearest of `known`, and all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(str(word), names, n=1)
    listing = ", ".join(names) if names else "none"
    return f"did you mean {close[0]!r}? (known: {listing})" if close else f"known: {listing}"


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                # An empty or nested value has no line of its own worth showing: its key has.
                scalar = isinstance(value, yaml.ScalarNode) and value.value != ""
                return (value.start_mark if scalar else key.start_mark), value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None


def _check_keys(node: yaml.Node, path: Path, seen: frozenset[int] = frozenset(), done: set[int] | None = None) -> None:
    done = set() if done is None else done
    if id(node) in seen:
        raise LocatedError("an alias refers to itself", path, node.start_mark.line + 1, node.start_mark.column + 1)
    if id(node) in done:
        return
    if isinstance(node, yaml.ScalarNode):
        _check_scalar(node, path)
        return
    inside = seen | {id(node)}
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if not isinstance(key, yaml.ScalarNode):
                raise LocatedError(f"a {_kind(key)} cannot be a key", path, line, column)
            if _type(key) in NO_KEYS:
                raise LocatedError(
                    f"the key {key.value!r} is a {_type(key)} in YAML; put it in quotes", path, line, column
                )
            _check_scalar(key, path)
            if key.value in lines:
                raise LocatedError(
                    f"duplicate key {key.value!r}; it stands on line {lines[key.value]} already", path, line, column
                )
            lines[key.value] = line
            _check_keys(value, path, inside, done)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(value, path, inside, done)
    done.add(id(node))


def _check_scalar(node: yaml.ScalarNode, path: Path) -> None:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if _type(node) == "binary":
        raise LocatedError("binary data has no place here; write text", path, line, column)
    if NO_TEXT.search(node.value):
        raise LocatedError(f"{_show(node.value)} holds a character that no text has", path, line, column)


def _syntax_error(error: yaml.MarkedYAMLError, path: Path, text: str) -> LocatedError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
    problem = error.problem or "is not valid YAML"
    lines = text.splitlines()
    if mark and "\\t" in problem and mark.line < len(lines):
        problem = "a tab is not allowed here; indent with spaces"
    elif problem == "but found another document":
        problem = "a second document starts here; one file holds one"
    else:
        problem = f"not valid YAML: {problem}"
    return LocatedError(problem, path, line, column)


def _kind(node: yaml.Node) -> str:
    return {"MappingNode": "mapping", "SequenceNode": "list"}.get(type(node).__name__, "single value")


def _type(node: yaml.Node) -> str:
    """The type that YAML gives a value, by its tag or by how it looks."""
    return str(node.tag).rpartition(":")[2]


def _show(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _explain(error: Any, model: type[BaseModel]) -> str:
    """One pydantic error in the words of the file's author."""
    kind, loc, value = error["type"], error["loc"], error["input"]
    name = ".".join(str(part) for part in loc)
    if kind == "extra_forbidden":
        return f"unknown key {str(loc[-1])!r}; {nearest(loc[-1], _fields_at(model, loc[:-1]))}"
    if kind == "missing":
        inside = f" in {'.'.join(str(part) for part in loc[:-1])}" if len(loc) > 1 else ""
        return f"missing key {str(loc[-1])!r}{inside}"
    if kind == "literal_error":
        return f"{name}: {_show(value)} is not one of {error['ctx']['expected']}"
    if kind == "value_error":
        return f"{name}: {error['ctx']['error']}" if name else str(error["ctx"]["error"])
    if kind in {"model_type", "dict_type", "model_attributes_type"}:
        return f"{name}: {_show(value)} found where a mapping is needed"
    if kind == "list_type":
        return f"{name}: {_show(value)} found where a list is needed"
    return f"{name}: {_show(value)}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _fields_at(model: type[BaseModel], loc: Loc) -> list[str]:
    """Names of the fields that a mapping at `loc` may have."""
    annotation: Any = model
    for part in loc:
        annotation = _step(annotation, part)
        if annotation is None:
            return []
    found = _model_in(annotation)
    return [] if found is None else [field.alias or name for name, field in found.model_fields.items()]


def _step(annotation: Any, part: str | int) -> Any:
    found = _model_in(annotation)
    if found is not None:
        field = found.model_fields.get(str(part))
        return field.annotation if field else None
    for option in _options(annotation):
        arguments = get_args(option)
        if get_origin(option) in {dict, list, tuple} and arguments:
            return arguments[-1] if get_origin(option) is dict else arguments[0]
    return None


def _options(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in {Union, types.UnionType} else (annotation,)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None
