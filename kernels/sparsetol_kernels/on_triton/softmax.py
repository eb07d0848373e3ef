"""Running softmax over tiles of keys, in base 2; shared by the attention kernels."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def scaled(product, scale, softcap, SOFTCAP: tl.constexpr):
    """Query-key products as logits in base 2; `scale` holds log2(e) unless there is a soft-cap."""
    logit = product * scale
    if SOFTCAP:
        # tanh by exponentials: the interpreter has none.
        bounded = 1.0 - 2.0 / (tl.exp(2.0 * logit / softcap) + 1.0)
        logit = bounded * (softcap * 1.4426950408889634)
    return logit


@triton.jit
def absorb(logit, value, acc, total, peak, MASKED: tl.constexpr):
    """Take one tile of logits (-inf where masked) and its values into the running sums.

    `MASKED` says that a row may have no key yet: its peak is then -inf, and it must not become NaN.
    """
    higher = tl.maximum(peak, tl.max(logit, 1))
    pivot = tl.where(higher == float("-inf"), 0.0, higher) if MASKED else higher
    weight = tl.exp2(logit - pivot[:, None])
    shrink = tl.exp2(peak - pivot)
    total = total * shrink + tl.sum(weight, 1)
    acc = tl.dot(weight.to(value.dtype), value, acc * shrink[:, None], input_precision="ieee")
    return acc, total, higher


@triton.jit
def add_sink(sink, acc, total, peak):
    """Let a logit (in base e) without a value join each row's softmax."""
    logit = sink * 1.4426950408889634
    higher = tl.maximum(peak, logit)
    shrink = tl.exp2(peak - higher)
    return acc * shrink[:, None], total * shrink + tl.exp2(logit - higher), higher


@triton.jit
def finish(acc, total, peak):
    """Outputs and natural log-sum-exp of each row; zeros and -inf for rows that met no key."""
    empty = total == 0.0
    out = acc / tl.where(empty, 1.0, total)[:, None]
    log_sum = tl.where(empty, float("-inf"), (peak + tl.log2(tl.where(empty, 1.0, total))) * 0.6931471805599453)
    return out, log_sum
