"""The fingerprint of kernel sources."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sparsetol_kernels import source
from sparsetol_kernels.source import source_hash


def test_it_follows_the_files_that_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "__file__", str(tmp_path / "source.py"))
    for name, text in {"on_triton/a.py": "one", "on_triton/b.py": "two", "on_gluon/a.py": "one"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    whole, first = source_hash(), source_hash("on_triton/a.py")

    (tmp_path / "on_triton/b.py").write_text("three")

    assert source_hash("on_triton/a.py") == first
    assert source_hash() != whole
    assert source_hash("on_gluon/a.py") != first
    with pytest.raises(FileNotFoundError):
        source_hash("on_triton/c.py")


@pytest.mark.parametrize(
    ("text", "same", "other"),
    [
        (
            "if a:\n    b = f(c)\nd\n",
            "if a:  # why\n    b = f(\n        c\n    )\n\nd\n",
            "if a:\n    b = f(c)\n    d\n",
        ),
        (
            'def f():\n    """One."""\n    return "a"\n',
            'def f():\n    """Another,\n    longer.\n    """\n    return "a"\n',
            'def f():\n    """One."""\n    return "b"\n',
        ),
        ('a = f"b {c + 1}"\n', 'a = f"b {c+1}"\n', 'a = f"b  {c + 1}"\n'),
    ],
    ids=["comments and layout", "docstrings", "layout inside of strings"],
)
def test_what_is_only_for_readers_does_not_count(
    text: str, same: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "__file__", str(tmp_path / "source.py"))
    file = tmp_path / "a.py"
    file.write_text(text, encoding="utf-8")
    before = source_hash("a.py")

    file.write_text(same, encoding="utf-8")
    assert source_hash("a.py") == before
    file.write_text(other, encoding="utf-8")
    assert source_hash("a.py") != before


def test_braces_in_strings_count_the_same_in_every_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "__file__", str(tmp_path / "source.py"))
    (tmp_path / "a.py").write_text('a = f"{{ b {c + 1} }} {{d e}}{f:.1f}"\n', encoding="utf-8")

    # As Python 3.12 takes it apart; 3.11 has the string as one token.
    taken = b"a.py\0" + b'a=f"{ b {c+1} } {d e}{f:.1f}"\n' + b"\0"
    assert source_hash("a.py") == hashlib.sha256(taken).hexdigest()[:16]
