"""The forward pass of a Llama for training: the weights of the transformers model, fewer and larger kernels.

All sequences of a batch lie in one flat row of tokens, so that what surrounds attention has the same shape whatever the
sequences' length and is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

HEAD = 64


def new_model(vocabulary: int, *, width: int, layers: int, inner: int, kv_heads: int, ids: tuple[int, int, int]) -> Any:
    """An untrained model; `ids` are those of padding, begin and end."""
    pad, begin, end = ids
    config = LlamaConfig(
        vocab_size=-(-vocabulary // 64) * 64,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=width // HEAD,
        num_key_value_heads=kv_heads,
        head_dim=HEAD,
        max_position_embeddings=4096,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        pad_token_id=pad,
        bos_token_id=begin,
        eos_token_id=end,
    )
    model: Any = LlamaForCausalLM(config)
    # What a layer adds starts small.
    for layer in model.model.layers:
        for out in (layer.self_attn.o_proj, layer.mlp.down_proj):
            torch.nn.init.normal_(out.weight, std=0.02 / (2 * layers) ** 0.5)
    return model


def _norm(x: Tensor, weight: Tensor) -> Tensor:
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * weight


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def _before(
    x: Tensor, norm: Tensor, query: Tensor, key: Tensor, value: Tensor, cos: Tensor, sin: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    h = _norm(x, norm).to(dtype)
    q, k, v = (functional.linear(h, weight.to(dtype)).view(x.shape[0], -1, HEAD) for weight in (query, key, value))
    return _rotated(q, cos, sin).to(dtype), _rotated(k, cos, sin).to(dtype), v


def _after(
    x: Tensor, seen: Tensor, out: Tensor, norm: Tensor, gate: Tensor, up: Tensor, down: Tensor, dtype: torch.dtype
) -> Tensor:
    x = x + functional.linear(seen, out.to(dtype))
    h = _norm(x, norm).to(dtype)
    h = functional.silu(functional.linear(h, gate.to(dtype))) * functional.linear(h, up.to(dtype))
    return x + functional.linear(h, down.to(dtype))


class Network:
    """Hidden states and logits of a batch.

    Args:
        model: whose weights are used and trained.
        compiled: whether what surrounds attention is compiled.
        dtype: of matrix products and attention.

    """

    def __init__(self, model: Any, *, compiled: bool, dtype: torch.dtype) -> None:
        self._model = model
        self._dtype = dtype
        self._before: Callable[..., Any] = torch.compile(_before, dynamic=False) if compiled else _before
        self._after: Callable[..., Any] = torch.compile(_after, dynamic=False) if compiled else _after
        theta = model.config.rope_parameters["rope_theta"]
        rates = theta ** (-torch.arange(0, HEAD, 2, dtype=torch.float64) / HEAD)
        self._rates = rates.to(model.device)
        self._rotations: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def hidden(self, ids: Tensor, length: int) -> Tensor:
        """States after the last layer, one for each of the flat ids; sequences are `length` long.

        Ids beyond the last whole sequence fill the row up and see nothing.
        """
        count = ids.shape[0] // length
        used = count * length
        cos, sin = self._rotation(ids.shape[0], length)
        x = functional.embedding(ids, self._model.model.embed_tokens.weight)
        for layer in self._model.model.layers:
            a = layer.self_attn
            qkv = self._before(
                x, layer.input_layernorm.weight, a.q_proj.weight, a.k_proj.weight, a.v_proj.weight, cos, sin,
                self._dtype,
            )  # fmt: skip
            q, k, v = (part[:used].view(count, length, -1, HEAD).transpose(1, 2) for part in qkv)
            seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            flat = seen.transpose(1, 2).reshape(used, -1)
            m = layer.mlp
            x = self._after(
                x, functional.pad(flat, (0, 0, 0, ids.shape[0] - used)), a.o_proj.weight,
                layer.post_attention_layernorm.weight, m.gate_proj.weight, m.up_proj.weight, m.down_proj.weight,
                self._dtype,
            )  # fmt: skip
        return x

    def _rotation(self, tokens: int, length: int) -> tuple[Tensor, Tensor]:
        if (tokens, length) not in self._rotations:
            positions = torch.arange(tokens, device=self._rates.device) % length
            angle = (positions[:, None] * self._rates)[:, None]
            self._rotations[tokens, length] = angle.cos().float(), angle.sin().float()
        return self._rotations[tokens, length]

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits of chosen states."""
        h = _norm(hidden, self._model.model.norm.weight).to(self._dtype)
        return functional.linear(h, self._model.model.embed_tokens.weight.to(self._dtype)).float()
