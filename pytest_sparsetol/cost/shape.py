"""What of a model decides its cost, from its config and the sizes of its matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_sparsetol.errors import ModelError


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder's attention and MLP. Embeddings, the output head, norms and biases are not part of it.

    Attributes:
        matrices: elements of the matrices that every token meets: attention projections, MLP, routers.
        expert_matrices: elements of all routed experts, 0 without any.
        experts: routed experts of a layer, 1 without any.
        active: experts that a token is sent to, 1 without any.
        query_heads: of a layer.
        key_heads: of a layer; query heads share them.
        key_size: channels of a query or key head.
        value_size: channels of a value head.
        windows: tokens that each layer's attention is limited to, None for a layer that attends everything.
        element_size: bytes of a weight and of a cached element.

    """

    matrices: int
    expert_matrices: int
    experts: int
    active: int
    query_heads: int
    key_heads: int
    key_size: int
    value_size: int
    windows: tuple[int | None, ...]
    element_size: int

    def is_local(self, layer: int, length: int) -> bool:
        """Whether a layer attends only a window that is shorter than `length` tokens; methods leave it as it is."""
        window = self.windows[layer]
        return window is not None and window < length


def shape_of(model: Any) -> Shape:
    """The shape of a causal language model of the transformers library, on any device, `meta` included.

    Matrices are found among the model's own parameters, so that gated and plain MLPs, fused projections and shared
    experts count as they are; experts are those of three dimensions, `[experts, ., .]`. Heads and windows are the
    config's.

    Raises:
        ModelError: the config does not say how many heads of which size every layer has.

    """
    from torch.nn import Embedding

    config = model.config.get_text_config(decoder=True)
    outside = {id(parameter) for module in model.modules() if isinstance(module, Embedding) for parameter in
               module.parameters(recurse=False)}  # fmt: skip
    head = model.get_output_embeddings()
    if head is not None:
        outside |= {id(parameter) for parameter in head.parameters()}
    inside = [
        parameter
        for name, parameter in model.named_parameters()
        if id(parameter) not in outside and not name.endswith("bias")
    ]
    routed = sum(parameter.numel() for parameter in inside if parameter.ndim == 3)
    query_heads = _number(config, "num_attention_heads")
    key_size = _number(config, "qk_head_dim", "head_dim", default=_number(config, "hidden_size") // query_heads)
    return Shape(
        matrices=sum(parameter.numel() for parameter in inside if parameter.ndim == 2),
        expert_matrices=routed,
        experts=_number(config, "num_experts", "num_local_experts", "n_routed_experts") if routed else 1,
        active=_number(config, "num_experts_per_tok") if routed else 1,
        query_heads=query_heads,
        key_heads=_number(config, "num_key_value_heads", default=query_heads),
        key_size=key_size,
        value_size=_number(config, "v_head_dim", default=key_size),
        windows=_windows(config),
        element_size=max(inside, key=lambda parameter: parameter.numel()).element_size(),
    )


def _windows(config: Any) -> tuple[int | None, ...]:
    layers = _number(config, "num_hidden_layers")
    window = getattr(config, "sliding_window", None)
    if window is None or getattr(config, "use_sliding_window", None) is False:
        return (None,) * layers
    types = getattr(config, "layer_types", None) or ["sliding_attention"] * layers
    return tuple(window if kind == "sliding_attention" else None for kind in types)


def _number(config: Any, *names: str, default: int | None = None) -> int:
    """The first of these that the config has."""
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value
        if value is not None:
            raise ModelError(f"{config.model_type}: {name} is {value!r}, not one number for all layers")
    if default is None:
        raise ModelError(f"{config.model_type}: the config does not say {names[0]}")
    return default
