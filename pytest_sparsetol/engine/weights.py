"""The identity of a model's weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pytest_sparsetol.errors import MissingInputError
from pytest_sparsetol.model_files import ModelFiles


def weights_fingerprint(files: ModelFiles, config: Any) -> str:
    """SHA-256 of the weight files and `config.json`; of id and commit for a model fetched from a hub."""
    digest = hashlib.sha256()
    if files.path is None:
        commit = getattr(config, "_commit_hash", None)
        if commit is None:
            raise MissingInputError(f"the hub names no commit of {files.name!r}: name a revision, or a local directory")
        digest.update(f"{files.name}@{commit}".encode())
    else:
        for path in _files(files.path):
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [path / "config.json", *sorted(path.glob("*.safetensors"))]
