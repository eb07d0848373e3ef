"""Operators of `torch.ops.sparsetol`, which compiled code takes whole and CUDA graphs capture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def define_operator(
    name: str,
    by_definition: Callable[..., Any],
    on_cuda: Callable[..., Any],
    shapes: Callable[..., Any],
    *,
    mutates: tuple[str, ...] = (),
) -> None:
    """Make `torch.ops.sparsetol.<name>`, which has no gradient.

    `torch.library.custom_op` makes the same operator, but its checks at each call take the host 20 us, where these take
    2 (one CPU): as much as a decoding step's kernel launches.

    Args:
        name: of the operator.
        by_definition: what computes it on any device.
        on_cuda: what computes it on CUDA; the operator's arguments are this function's. They have no defaults, as torch
            leaves out what equals a default.
        shapes: empty results, for tracing.
        mutates: arguments that are written in place.

    """
    qualified = f"sparsetol::{name}"
    schema = torch.library.infer_schema(on_cuda, mutates_args=mutates)
    torch.library.define(qualified, schema, tags=torch.Tag.pt2_compliant_tag)
    torch.library.impl(qualified, "default", by_definition)
    torch.library.impl(qualified, "cuda", on_cuda)
    torch.library.impl(qualified, "Autograd", torch.library.fallthrough_kernel)
    torch.library.register_fake(qualified, shapes)
