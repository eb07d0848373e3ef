"""Loading: dtypes, and models that cannot be computed faithfully are refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.load import load_model
from pytest_sparsetol.engine.weights import weights_fingerprint
from pytest_sparsetol.errors import MissingInputError, ModelError
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import save_model, word_tokenizer


def files(folder: Path) -> ModelFiles:
    return ModelFiles("directory", folder.name, folder)


def spec(**changes: object) -> ModelSpec:
    return ModelSpec.model_validate({"path": "model", **changes})


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_dtypes(tmp_path: Path, dtype: str) -> None:
    loaded = load_model(files(save_model("llama", tmp_path)), spec(dtype=dtype))

    assert loaded.dtype == getattr(torch, dtype)


def test_a_dtype_left_open_is_that_of_the_weights(tmp_path: Path) -> None:
    assert load_model(files(save_model("llama", tmp_path)), spec()).dtype == torch.float32


@pytest.mark.parametrize(("kept", "said"), [(0, r"weight files lack model\.norm\.weight"), (3, "cannot be loaded")])
def test_a_weight_that_is_not_there_is_never_made_up(tmp_path: Path, kept: int, said: str) -> None:
    path = save_model("llama", tmp_path) / "model.safetensors"
    weights = load_file(path)
    norm = weights.pop("model.norm.weight")
    save_file(weights | ({"model.norm.weight": norm[:kept].clone()} if kept else {}), path, {"format": "pt"})

    with pytest.raises((ModelError, MissingInputError), match=said):
        load_model(files(tmp_path), spec())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"layer_types": ["full_attention", "chunked_attention"]}, "layers of type chunked_attention"),
        ({"is_encoder_decoder": True}, "encoder-decoder"),
    ],
)
def test_refused_models(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    save_model("llama", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps(config))

    with pytest.raises(ModelError, match=reason):
        load_model(files(tmp_path), spec())


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    save_model("llama", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")

    with pytest.raises(MissingInputError, match="cannot be loaded"):
        load_model(files(tmp_path), spec())


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(MissingInputError, match="asks for device cuda"):
        load_model(files(save_model("llama", tmp_path)), spec(device="cuda"))


def test_code_that_a_model_brings_runs_only_with_both_permissions(tmp_path: Path) -> None:
    word_tokenizer().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}})
    )
    (tmp_path / "own.py").write_text("raise SystemExit('this code ran')\n")

    with pytest.raises(MissingInputError, match="cannot be loaded"):
        load_model(files(tmp_path), spec(trust_remote_code=True))
    with pytest.raises(MissingInputError, match="cannot be loaded"):
        load_model(files(tmp_path), spec(), trust_remote_code=True)


def test_other_weights_have_another_fingerprint(tmp_path: Path) -> None:
    one = save_model("llama", tmp_path / "one")
    same = save_model("llama", tmp_path / "same")
    other = save_model("mistral", tmp_path / "other")

    prints = [weights_fingerprint(files(folder), None) for folder in (one, same, other)]

    assert prints[0] == prints[1] != prints[2]
