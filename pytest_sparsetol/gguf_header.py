"""What the header of a GGUF file says; the `gguf` package takes seconds, as it reads every token.

Layout: "GGUF", version, numbers of tensors and of pairs; the pairs of key and value; then of each tensor its name,
number of dimensions, their sizes, type and offset. All little-endian. Functions raise `MissingInputError` for a file
that cannot be read as GGUF.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pytest_sparsetol.errors import MissingInputError

# Value types, as the format's specification numbers them: struct codes of the fixed-size ones.
_FIXED = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


def context_length(path: Path) -> int | None:
    """Tokens that the model can hold, `<architecture>.context_length`; None where the file does not say."""
    with _opened(path) as (file, _tensors, pairs):
        for _ in range(pairs):
            key, kind = _key(file)
            if key.endswith(".context_length") and kind in _FIXED:
                return int(_fixed(file, kind))
            _skip(file, kind)
    return None


def parameters(path: Path) -> int:
    """Elements of all tensors."""
    with _opened(path) as (file, tensors, pairs):
        for _ in range(pairs):
            _skip(file, _key(file)[1])
        return sum(_elements(file) for _ in range(tensors))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int, int]]:
    """The file at its first pair, and its numbers of tensors and pairs."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise MissingInputError(f"{path} is not a GGUF file")
            _version, tensors, pairs = struct.unpack("<IQQ", file.read(20))
            yield file, tensors, pairs
    except (OSError, struct.error, UnicodeDecodeError, KeyError, OverflowError, MemoryError) as error:
        raise MissingInputError(f"{path} cannot be read as GGUF: {error}") from None


def _key(file: BinaryIO) -> tuple[str, int]:
    """A pair's key and the type of its value, which follows."""
    return _string(file), struct.unpack("<I", file.read(4))[0]


def _elements(file: BinaryIO) -> int:
    """Those of the tensor whose entry follows."""
    _string(file)
    dimensions = struct.unpack("<I", file.read(4))[0]
    shape = struct.unpack(f"<{dimensions}Q", file.read(8 * dimensions))
    file.seek(12, 1)
    return math.prod(shape)


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
