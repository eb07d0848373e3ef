"""Tiny random models of several families, and a word tokenizer, built without downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GptOssConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    Phi3Config,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
    SmolLM3Config,
)

VOCABULARY = 256
WINDOW = 48

_SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}

_EXPERTS: dict[str, Any] = {"num_experts_per_tok": 2, "moe_intermediate_size": 32, "num_experts": 4}
_SECOND_LAYER_LOCAL: dict[str, Any] = {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1}

CONFIGS: dict[str, Any] = {
    "llama": LlamaConfig(**_SHAPE),
    "mistral": MistralConfig(**_SHAPE, sliding_window=WINDOW),
    "gemma2": Gemma2Config(**_SHAPE, sliding_window=WINDOW, query_pre_attn_scalar=16, attn_logit_softcapping=5.0),
    "gpt_oss": GptOssConfig(
        **_SHAPE,
        sliding_window=WINDOW,
        num_local_experts=4,
        num_experts_per_tok=2,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    ),
    "qwen2": Qwen2Config(**_SHAPE, **_SECOND_LAYER_LOCAL),
    "qwen3": Qwen3Config(**_SHAPE, **_SECOND_LAYER_LOCAL),
    "qwen3_moe": Qwen3MoeConfig(**_SHAPE, **_EXPERTS),
    "phi3": Phi3Config(**_SHAPE, sliding_window=WINDOW),
    "gemma3": Gemma3TextConfig(
        **_SHAPE,
        sliding_window=WINDOW,
        query_pre_attn_scalar=16,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "olmo2": Olmo2Config(**_SHAPE),
    "granite": GraniteConfig(**_SHAPE, attention_multiplier=0.1, residual_multiplier=0.5, logits_scaling=2.0),
    "smollm3": SmolLM3Config(**_SHAPE, no_rope_layers=[1, 0]),
}
"""By the library's name for the family, but `gemma3` for its text model."""

LAYERS = _SHAPE["num_hidden_layers"]
LOCAL_LAYERS = {"mistral": 2, "phi3": 2, "gemma2": 1, "gemma3": 1, "gpt_oss": 1, "qwen2": 1, "qwen3": 1}
"""How many layers attend within `WINDOW`."""


def word_tokenizer(chat_template: str | None = None) -> PreTrainedTokenizerFast:
    """Words `w5` to `w255` by number; anything else is unknown."""
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4} | {f"w{i}": i for i in range(5, VOCABULARY)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )
    tokenizer.chat_template = chat_template
    return tokenizer


def random_model(family: str, attention: str, dtype: torch.dtype = torch.float32) -> Any:
    """A random model of the family; the same weights for the same family, whatever the attention."""
    torch.manual_seed(0)
    config = type(CONFIGS[family])(**CONFIGS[family].to_dict())
    model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        config, attn_implementation=attention, dtype=dtype
    )
    for name, parameter in model.named_parameters():
        if name.endswith("sinks"):
            torch.nn.init.normal_(parameter)
    return model.eval()


def save_model(family: str, folder: Path, chat_template: str | None = None) -> Path:
    """A model directory as transformers writes it."""
    random_model(family, "eager").save_pretrained(folder)
    word_tokenizer(chat_template).save_pretrained(folder)
    return folder


def save_smaller_llama(folder: Path) -> Path:
    """A model directory of one layer and half the width, with the same tokenizer."""
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(**(_SHAPE | sizes))
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]  # as above
    model.save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder
