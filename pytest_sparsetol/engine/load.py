"""Loads a model and its tokenizer, or refuses with the reason."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.damage import damage
from pytest_sparsetol.engine import attention
from pytest_sparsetol.engine.attention import Pass, forward_pass
from pytest_sparsetol.engine.device import choose_device
from pytest_sparsetol.engine.policy import DENSE
from pytest_sparsetol.engine.prompt import ChatPrompt
from pytest_sparsetol.errors import MissingInputError, ModelError, SparsetolError
from pytest_sparsetol.model_files import ModelFiles

LAYER_TYPES = frozenset({"full_attention", "sliding_attention"})
"""Kinds of layers whose attention the engine computes."""

TEXTS = (
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.jinja",
    "*.model",
)
"""Files of a model's folder that are read besides its weights."""


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode whose attention is the engine's, with its tokenizer."""

    model: Any
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype


def load_model(files: ModelFiles, spec: ModelSpec, *, trust_remote_code: bool = False) -> LoadedModel:
    """Load from a directory, a GGUF file or a hub id; safetensors and GGUF only, never pickle.

    Code that a model brings is run only if both the contract and the caller allow it.

    Raises:
        MissingInputError: the files or the device are not there.
        ModelError: the model is not one that the engine computes faithfully.

    """
    attention.register()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    device = choose_device(spec.device)
    where: dict[str, Any] = {"revision": spec.revision} if files.kind == "hub" and spec.revision else {}
    where["trust_remote_code"] = spec.trust_remote_code and trust_remote_code
    source = files.name if files.path is None else str(files.path)
    if files.kind == "gguf" and files.path is not None:
        if importlib.util.find_spec("gguf") is None:
            raise MissingInputError(f"{files.path.name} needs the package gguf: pip install 'pytest-sparsetol[demo]'")
        source = str(files.path.parent)
        where["gguf_file"] = files.path.name
    _check_texts(files)
    # Bars tear the progress lines of the run, and those of GGUF files cannot be told not to show.
    silent = contextlib.redirect_stderr(io.StringIO()) if files.kind == "gguf" else contextlib.nullcontext()
    with silent:
        with _reading(files, "config.json"):
            config = AutoConfig.from_pretrained(source, **where)
            _check_config(config)
        with _reading(files, "the tokenizer"):
            tokenizer = AutoTokenizer.from_pretrained(source, **where)
        _check_prompt(files, spec, tokenizer)
        with _reading(files, "config.json and weights"):
            try:
                read: Any = AutoModelForCausalLM.from_pretrained(
                    source,
                    output_loading_info=True,
                    dtype="auto" if spec.dtype == "auto" else getattr(torch, spec.dtype),
                    attn_implementation=attention.NAME,
                    use_safetensors=None if files.kind == "gguf" else True,
                    ignore_mismatched_sizes=True,  # they are refused below, by name
                    **where,
                )
            except KeyError as error:
                if error.args == (attention.NAME,):
                    # Families with a fixed table of attention classes look the name up there.
                    raise _fixed_attention(config.model_type) from error
                raise
            model, loaded = read
            _check_weights(files.name, loaded)
            if not getattr(model, "_supports_attention_backend", False):
                raise _fixed_attention(config.model_type)
            model.to(device).eval().requires_grad_(requires_grad=False)
    _check_attention(model, device)
    return LoadedModel(model, tokenizer, device, model.dtype)


@contextlib.contextmanager
def _reading(files: ModelFiles, part: str) -> Iterator[None]:
    """One error for all that the library may raise of files that it cannot use, which is of almost any type."""
    try:
        yield
    except SparsetolError:
        raise
    except Exception as error:
        place = str(files.path) if files.kind == "gguf" else f"{part} of {_place(files)}"
        wrong = f"{place}: {_words(error)}"
        if isinstance(error, SafetensorError) and files.path is not None:
            wrong = damage(files.path.glob("*.safetensors")) or wrong
        raise MissingInputError(f"model {files.name!r} cannot be loaded: {wrong}") from error


def _place(files: ModelFiles) -> str:
    if files.kind == "hub":
        return f"hub id {files.name!r} (there is no folder {files.looked_for})"
    return str(files.path)


def _words(error: Exception) -> str:
    """An error in one line; what Python itself raises says little without its name."""
    text = " ".join(str(error).split())
    own = isinstance(error, LookupError | TypeError | AttributeError | ArithmeticError | AssertionError)
    return f"{type(error).__name__}: {text}" if own or not text else text


def _check_texts(files: ModelFiles) -> None:
    """The library passes over some damaged files, and what it raises for others does not name them."""
    if files.path is None:
        return
    paths = (path for pattern in TEXTS for path in files.path.glob(pattern))
    damaged = damage([files.path] if files.kind == "gguf" else paths)
    if damaged is not None:
        raise MissingInputError(f"model {files.name!r} cannot be loaded: {damaged}")


def _check_prompt(files: ModelFiles, spec: ModelSpec, tokenizer: Any) -> None:
    """Templates are compiled when they are used: make a prompt before the weights are read."""
    try:
        ChatPrompt(tokenizer, spec.chat_template_kwargs).encode("message")
    except Exception as error:
        line = getattr(error, "lineno", None)
        template = None if files.kind != "directory" or files.path is None else files.path / "chat_template.jinja"
        held_by = template if template is not None and template.is_file() else f"the tokenizer of {_place(files)}"
        raise ModelError(
            f"model {files.name!r}: the chat template in {held_by} makes no prompt of a user message: "
            f"{'' if line is None else f'line {line}: '}{_words(error)}"
        ) from error


def _fixed_attention(family: str) -> ModelError:
    return ModelError(f"{family} does not let its attention be replaced; it is not run")


def _check_weights(name: str, loaded: dict[str, Any]) -> None:
    """What the files lack, or have in another shape, transformers makes up at random: such a model is not the one."""
    wrong = [f"lack {key}" for key in sorted(loaded.get("missing_keys", ()))]
    wrong += [
        f"have {key} of shape {_shape(there)}, where the config asks for {_shape(wanted)}"
        for key, there, wanted in sorted(loaded.get("mismatched_keys", ()))
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more such weights)" if len(wrong) > 1 else ""
        raise ModelError(f"model {name!r}: its weight files {wrong[0]}{more}; a model with every weight is needed")


def _shape(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes)) or "a single number"


def _check_config(config: Any) -> None:
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{config.model_type} is an encoder-decoder; only decoder-only models are run")
    text = config.get_text_config(decoder=True)
    others = sorted(set(getattr(text, "layer_types", None) or ()) - LAYER_TYPES)
    if others:
        raise ModelError(
            f"{config.model_type} has layers of type {', '.join(others)}; "
            f"the engine computes {', '.join(sorted(LAYER_TYPES))}"
        )


@torch.inference_mode()
def _check_attention(model: Any, device: torch.device) -> None:
    """Run four tokens: every layer must come to the engine's attention, and pass nothing that it would ignore."""
    current = Pass(DENSE, [0], longest=4)
    with forward_pass(current):
        model(input_ids=torch.zeros(1, 4, dtype=torch.long, device=device), use_cache=False)
    layers = model.config.get_text_config(decoder=True).num_hidden_layers
    if len(current.meter.layers) != layers:
        raise ModelError(
            f"{model.config.model_type} has {layers} layers, and {len(current.meter.layers)} of them have attention "
            f"that the engine computes; it is not run"
        )
