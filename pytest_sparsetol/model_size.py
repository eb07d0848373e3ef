"""How many parameters a model has, from the headers of its weight files, without torch."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

from pytest_sparsetol import gguf_header
from pytest_sparsetol.errors import MissingInputError
from pytest_sparsetol.model_files import ModelFiles


def parameters(files: ModelFiles) -> int | None:
    """Elements of all tensors, those of every expert among them.

    None where no file says: a hub id is not looked up, and damaged weights are left to the cells that load them.
    """
    if files.path is None:
        return None
    try:
        if files.kind == "gguf":
            return gguf_header.parameters(files.path)
        return sum(map(_elements, sorted(files.path.glob("model*.safetensors")))) or None
    except MissingInputError:
        return None


def _elements(path: Path) -> int:
    """Of one safetensors file: the length of its header in eight bytes, little-endian, then tensors by name in JSON."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    except (
        OSError,
        ValueError,
        struct.error,
        OverflowError,
        MemoryError,
        AttributeError,
        KeyError,
        TypeError,
    ) as error:
        raise MissingInputError(f"{path} cannot be read as safetensors: {error}") from None
