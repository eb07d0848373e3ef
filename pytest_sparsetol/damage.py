"""Which of a model's files is not what its name says, in words: what libraries raise seldom names the file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def damage(paths: Iterable[Path]) -> str | None:
    """What is wrong with the first file, by name, that cannot be what it should be; None where all can.

    Pointers that Git LFS left in a file's place are found in any, damage in JSON, chat templates and safetensors.
    """
    for path in sorted(path for path in paths if path.is_file()):
        wrong = _wrong(path)
        if wrong is not None:
            return f"{path} {wrong}"
    return None


def _wrong(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                return "is a Git LFS pointer, not the file itself; fetch it with git lfs pull"
        if path.suffix in {".json", ".jinja"}:
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".json" and not isinstance(json.loads(text), dict):
                return "does not hold a mapping"
    except (OSError, ValueError) as error:
        return _unreadable(error)
    return _unsafe(path) if path.suffix == ".safetensors" else None


def _unsafe(path: Path) -> str | None:
    # Collection reads config.json alone, and does not pay for this import.
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy"):
            return None
    except (OSError, SafetensorError) as error:
        return _unreadable(error)


def _unreadable(error: Exception) -> str:
    return f"cannot be read: {error}; it is damaged or cut short: fetch it again"
