"""A fingerprint of kernel sources: measurements on a GPU are kept with it, so that stale ones show."""

from __future__ import annotations

import hashlib
import io
import re
import tokenize
from pathlib import Path

FOLDERS = ("on_triton", "on_gluon")
"""Where the kernels and their launches are."""


def source_hash(*files: str) -> str:
    """First 16 hexadecimal digits of SHA-256 over kernel sources, by path and code.

    Comments, docstrings and layout do not count.

    Args:
        files: paths inside this package, such as "on_triton/block_sparse.py"; none for all kernels.

    Raises:
        FileNotFoundError: for a file that is not there.

    """
    root = Path(__file__).parent
    paths = sorted(root / file for file in files) or sorted(
        path for folder in FOLDERS for path in (root / folder).rglob("*.py")
    )
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(_code(path.read_text(encoding="utf-8")).encode() + b"\0")
    return digest.hexdigest()[:16]


def _code(text: str) -> str:
    """The tokens, one after the other; a new line counts where it ends a statement, and so does what is indented."""
    parts: list[str] = []
    begins = True
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in {tokenize.COMMENT, tokenize.NL} or (begins and token.type == tokenize.STRING):
            # A statement that begins with a string is one that says something to readers.
            continue
        begins = token.type in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
        if token.type in {tokenize.INDENT, tokenize.DEDENT}:
            parts.append(">" if token.type == tokenize.INDENT else "<")
        elif token.type == tokenize.STRING and "f" in re.split("[\"']", token.string.lower(), maxsplit=1)[0]:
            # From Python 3.12 on, what stands in braces is tokens too, and doubled braces are single ones.
            parts.append(re.sub(r"\{\{|\}\}|\{[^{}]*\}", _field, token.string))
        else:
            parts.append(token.string)
    return "".join(parts)


def _field(found: re.Match[str]) -> str:
    """What stands in braces in an f-string, or doubled braces, as tokens of Python 3.12 put together."""
    return found[0][0] if found[0] in {"{{", "}}"} else found[0].replace(" ", "")
