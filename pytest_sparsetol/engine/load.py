"""Loads a model and its tokenizer, or refuses with the reason."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine import attention
from pytest_sparsetol.engine.attention import Pass, forward_pass
from pytest_sparsetol.engine.device import choose_device
from pytest_sparsetol.engine.policy import DENSE
from pytest_sparsetol.errors import MissingInputError, ModelError
from pytest_sparsetol.model_files import ModelFiles

LAYER_TYPES = frozenset({"full_attention", "sliding_attention"})
"""Kinds of layers whose attention the engine computes."""


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
    # Bars tear the progress lines of the run, and those of GGUF files cannot be told not to show.
    silent = contextlib.redirect_stderr(io.StringIO()) if files.kind == "gguf" else contextlib.nullcontext()
    try:
        with silent:
            config = AutoConfig.from_pretrained(source, **where)
            _check_config(config)
            tokenizer = AutoTokenizer.from_pretrained(source, **where)
            read: Any = AutoModelForCausalLM.from_pretrained(
                source,
                output_loading_info=True,
                dtype="auto" if spec.dtype == "auto" else getattr(torch, spec.dtype),
                attn_implementation=attention.NAME,
                use_safetensors=None if files.kind == "gguf" else True,
                **where,
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        if error.args == (attention.NAME,):
            # Families with a fixed table of attention classes look the name up there.
            raise _fixed_attention(config.model_type) from error
        raise MissingInputError(f"model {files.name!r} cannot be loaded: {error}") from error
    model, loaded = read
    _check_weights(files.name, loaded)
    if not getattr(model, "_supports_attention_backend", False):
        raise _fixed_attention(config.model_type)
    model.to(device).eval().requires_grad_(requires_grad=False)
    _check_attention(model, device)
    return LoadedModel(model, tokenizer, device, model.dtype)


def _fixed_attention(family: str) -> ModelError:
    return ModelError(f"{family} does not let its attention be replaced; it is not run")


def _check_weights(name: str, loaded: dict[str, Any]) -> None:
    """What the files lack, or have in another shape, transformers makes up at random: such a model is not the one."""
    lacking = sorted({*loaded.get("missing_keys", ()), *(str(key[0]) for key in loaded.get("mismatched_keys", ()))})
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise ModelError(
            f"model {name!r}: its weight files lack {', '.join(lacking[:3])}{more}, or have them in another shape; "
            "a model with every weight is needed"
        )


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
