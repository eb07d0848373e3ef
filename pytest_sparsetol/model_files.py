"""Where a contract's `model.path` leads, and what the files say of the context length, without torch.

Four forms: a directory with `config.json` and safetensors, a GGUF file, `package:<module>/<file>` for weights
installed by pip (the module is located, never imported), and a hub id.
"""

from __future__ import annotations

import importlib.util
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from pytest_sparsetol.errors import ContractError, MissingInputError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", flags=re.ASCII)


@dataclass(frozen=True)
class ModelFiles:
    """A located model. `path` is the directory or GGUF file; it is None for a hub id, which the engine fetches."""

    kind: Literal["directory", "gguf", "hub"]
    name: str
    path: Path | None


def locate(written: str, relative_to: Path) -> ModelFiles:
    """The model that `model.path` names; relative paths start at the contract's folder.

    Raises `MissingInputError` where nothing is there and `ContractError` where the form is wrong.
    """
    if written.startswith("package:"):
        path = _in_package(written)
    else:
        path = Path(written).expanduser()
        path = path if path.is_absolute() else relative_to / path
        if not path.exists():
            if HUB_ID.fullmatch(written) and not written.lower().endswith(".gguf"):
                return ModelFiles("hub", written, None)
            raise MissingInputError(f"model.path {written!r} is not there (looked for {path})")
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise MissingInputError(f"model.path {written!r} is a folder without config.json")
        return ModelFiles("directory", path.resolve().name, path)
    if path.suffix.lower() != ".gguf":
        raise ContractError(
            f"model.path {written!r} is neither a model directory nor a .gguf file; pickled weights are not read"
        )
    return ModelFiles("gguf", path.stem, path)


def context_length(files: ModelFiles) -> int | None:
    """Tokens that the model can hold, or None where its files do not say (a hub id is not looked up)."""
    if files.path is None:
        return None
    if files.kind == "gguf":
        return _gguf_context_length(files.path)
    try:
        config = json.loads((files.path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingInputError(f"{files.path / 'config.json'} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise MissingInputError(f"{files.path / 'config.json'} does not hold a mapping")
    text = config.get("text_config", config)
    value = text.get("max_position_embeddings") if isinstance(text, dict) else None
    return value if isinstance(value, int) else None


def _in_package(written: str) -> Path:
    module, _, inside = written.removeprefix("package:").partition("/")
    if not module.isidentifier() or not inside or ".." in Path(inside).parts:
        raise ContractError(f"model.path {written!r} must read package:<module>/<file>")
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingInputError(f"model.path {written!r} needs the package {module!r}, which is not installed")
    path = Path(spec.submodule_search_locations[0]) / inside
    if not path.exists():
        raise MissingInputError(f"model.path {written!r}: the package {module!r} has no {inside!r}")
    return path


# GGUF value types, as the format's specification numbers them: struct codes of the fixed-size ones.
_FIXED = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


def _gguf_context_length(path: Path) -> int | None:
    """`<architecture>.context_length` of a GGUF header; the `gguf` package takes seconds, as it reads every token."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise MissingInputError(f"{path} is not a GGUF file")
            _version, _tensors, pairs = struct.unpack("<IQQ", file.read(20))
            for _ in range(pairs):
                key = _string(file)
                kind = struct.unpack("<I", file.read(4))[0]
                if key.endswith(".context_length") and kind in _FIXED:
                    return int(_fixed(file, kind))
                _skip(file, kind)
    except (OSError, struct.error, UnicodeDecodeError, KeyError) as error:
        raise MissingInputError(f"{path} cannot be read as GGUF: {error}") from None
    return None


def _string(file: BinaryIO) -> str:
    return file.read(struct.unpack("<Q", file.read(8))[0]).decode("utf-8")


def _fixed(file: BinaryIO, kind: int) -> float:
    code = "<" + _FIXED[kind]
    value: float = struct.unpack(code, file.read(struct.calcsize(code)))[0]
    return value


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        file.seek(struct.unpack("<Q", file.read(8))[0], 1)
    elif kind == _ARRAY:
        inner, count = struct.unpack("<IQ", file.read(12))
        if inner in _FIXED:
            file.seek(count * struct.calcsize("<" + _FIXED[inner]), 1)
        else:
            for _ in range(count):
                _skip(file, inner)
    else:
        file.seek(struct.calcsize("<" + _FIXED[kind]), 1)
