"""Where a contract's `model.path` leads, and what the files say of the context length, without torch.

Four forms: a directory with `config.json` and safetensors, a GGUF file, `package:<module>/<file>` for weights
installed by pip (the module is located, never imported), and a hub id.
"""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_sparsetol import gguf_header
from pytest_sparsetol.damage import damage
from pytest_sparsetol.errors import ContractError, MissingInputError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", flags=re.ASCII)


@dataclass(frozen=True)
class ModelFiles:
    """A located model.

    Attributes:
        path: the directory or GGUF file; None for a hub id, which the engine fetches.
        looked_for: for a hub id, the folder that would have been taken instead, were it there.

    """

    kind: Literal["directory", "gguf", "hub"]
    name: str
    path: Path | None
    looked_for: Path | None = None


def locate(written: str, relative_to: Path) -> ModelFiles:
    """The model that `model.path` names; relative paths start at the contract's folder.

    Raises `MissingInputError` where nothing is there and `ContractError` where the form is wrong.
    """
    if written.startswith("package:"):
        path = _in_package(written)
    else:
        try:
            path = relative_to / Path(written).expanduser()
            there = path.exists()
        except (OSError, RuntimeError) as error:  # a name too long, a folder that may not be read, nobody's home
            raise MissingInputError(f"model.path {written!r}: {getattr(error, 'strerror', None) or error}") from None
        if not there:
            if HUB_ID.fullmatch(written) and not written.lower().endswith(".gguf"):
                return ModelFiles("hub", written, None, path)
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
    path = files.path if files.kind == "gguf" else files.path / "config.json"
    damaged = damage([path])
    if damaged is not None:
        raise MissingInputError(damaged)
    if files.kind == "gguf":
        return gguf_header.context_length(path)
    config = json.loads(path.read_text(encoding="utf-8"))
    text = config.get("text_config", config)
    value = text.get("max_position_embeddings") if isinstance(text, dict) else None
    return value if isinstance(value, int) else None


def _in_package(written: str) -> Path:
    module, _, inside = written.removeprefix("package:").partition("/")
    if not module.isidentifier() or not inside or ".." in Path(inside).parts:
        raise ContractError(f"model.path {written!r} must read package:<module>/<file>")
    # A module that runs as a script has none.
    spec = None if module == "__main__" else importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingInputError(f"model.path {written!r} needs the package {module!r}, which is not installed")
    path = Path(spec.submodule_search_locations[0]) / inside
    if not path.exists():
        raise MissingInputError(f"model.path {written!r}: the package {module!r} has no {inside!r}")
    return path
