"""Loading: dtypes, and models that cannot be computed faithfully are refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.load import load_model
from pytest_sparsetol.engine.weights import weights_fingerprint
from pytest_sparsetol.errors import MissingInputError, ModelError
from pytest_sparsetol.model_files import ModelFiles, locate
from tests.engine.models import save_model, word_tokenizer
from tests.test_model_files import gguf


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


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (0, r"weight files lack model\.norm\.weight;"),
        (3, r"weight files have model\.norm\.weight of shape 3, where the config asks for 64;"),
    ],
)
def test_a_weight_that_is_not_there_is_never_made_up(tmp_path: Path, kept: int, said: str) -> None:
    path = save_model("llama", tmp_path) / "model.safetensors"
    weights = load_file(path)
    norm = weights.pop("model.norm.weight")
    save_file(weights | ({"model.norm.weight": norm[:kept].clone()} if kept else {}), path, {"format": "pt"})

    with pytest.raises(ModelError, match=said):
        load_model(files(tmp_path), spec())


LFS_POINTER = (
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32\nsize 9\n"
)
POINTER = "is a Git LFS pointer, not the file itself; fetch it with git lfs pull"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", LFS_POINTER, POINTER),
        ("tokenizer.json", LFS_POINTER, POINTER),
        ("config.json", LFS_POINTER, POINTER),
        # The library passes over these two without a word.
        ("generation_config.json", LFS_POINTER, POINTER),
        ("chat_template.jinja", LFS_POINTER, POINTER),
        ("model.safetensors", "", "cannot be read: .*header too small; it is damaged or cut short: fetch it again"),
        ("tokenizer.json", '{"version": "1.0", ', "cannot be read: .*line 1 column .*fetch it again"),
        ("tokenizer.json", "[]", "does not hold a mapping"),
        ("tokenizer_config.json", "[]", "does not hold a mapping"),
        ("config.json", "", "cannot be read: Expecting value: line 1 column 1"),
        ("config.json", "{}", "should have a `model_type` key"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    (save_model("llama", tmp_path) / name).write_text(content)

    with pytest.raises(MissingInputError, match=rf"(?i)model '{tmp_path.name}' cannot be loaded: .*{said}") as caught:
        load_model(files(tmp_path), spec())

    assert str(tmp_path) in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize("left", [4, 60, -100])
def test_weights_cut_short_are_named(tmp_path: Path, left: int) -> None:
    path = save_model("llama", tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:left])

    with pytest.raises(MissingInputError, match=rf"{path} cannot be read: .*; it is damaged or cut short"):
        load_model(files(tmp_path), spec())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden_size": "64"}, r"config\.json of .*'hidden_size' expected int, got str \(value: '64'\)"),
        ({"num_attention_heads": 3}, r"config\.json of .*not a multiple of the number of attention heads \(3\)"),
        ({"num_attention_heads": 0}, r"config\.json of .*: ZeroDivisionError"),
        ({"dtype": "float3"}, r"config\.json of .*'float3'"),
        ({"hidden_act": "siluu"}, r"config\.json and weights of .*: KeyError: 'siluu'"),
        ({"pad_token_id": 999}, r"config\.json and weights of .*Padding_idx"),
    ],
)
def test_a_value_that_the_library_cannot_use_is_said_in_one_line(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    save_model("llama", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps(config))

    with pytest.raises(MissingInputError, match=said) as caught:
        load_model(files(tmp_path), spec())

    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ messages[0].content }}\n{% for m in messages %}", "line 2: Unexpected end of template"),
        ("{{ raise_exception('a system message is needed') }}", "a system message is needed"),
        ("{{ today.year }}", "'today' is undefined"),
        ("{{ messages + 1 }}", "TypeError: can only concatenate list"),
    ],
)
def test_a_chat_template_that_cannot_render_is_named(tmp_path: Path, template: str, said: str) -> None:
    save_model("llama", tmp_path, template)

    with pytest.raises(ModelError, match=rf"{tmp_path / 'chat_template.jinja'}.*{said}") as caught:
        load_model(files(tmp_path), spec())

    assert "\n" not in str(caught.value)


def test_a_gguf_file_cut_short_is_named(tmp_path: Path) -> None:
    path = gguf(tmp_path / "m.gguf", 512, {"norm": (7,)})

    with pytest.raises(MissingInputError, match=rf"model 'm' cannot be loaded: {path}: "):
        load_model(locate("m.gguf", tmp_path), spec())


def test_a_model_too_large_for_its_device_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 12 GiB")

    save_model("llama", tmp_path)
    monkeypatch.setattr(LlamaForCausalLM, "to", full)

    with pytest.raises(MissingInputError, match=r"cannot be loaded: .*Tried to allocate 12 GiB"):
        load_model(files(tmp_path), spec())


def test_a_mistyped_folder_is_said_beside_the_hub_id_that_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(MissingInputError, match=rf"hub id 'models/smol' \(there is no folder {tmp_path}/models/smol\)"):
        load_model(locate("models/smol", tmp_path), spec())


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
