"""The attention hook: dense runs equal the library's own attention, and nothing is ignored in silence."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from sparsetol_kernels.attention import Scoring, token_sparse_attention
from transformers import DynamicCache

from pytest_sparsetol.engine import attention
from pytest_sparsetol.engine.attention import Pass, forward_pass
from pytest_sparsetol.engine.generate import with_cache
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.errors import ModelError
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from tests.engine.models import CONFIGS, LOCAL_LAYERS, WINDOW, random_model

LENGTH = 3 * WINDOW + 5


@pytest.fixture(autouse=True)
def _registered() -> None:
    attention.register()


def logits(model: Any, ids: torch.Tensor, current: Pass | None = None) -> torch.Tensor:
    """Logits of all positions of one batch without a cache."""
    with torch.inference_mode(), nullcontext() if current is None else forward_pass(current):
        found: torch.Tensor = model(input_ids=ids, use_cache=False).logits
    return found


@pytest.mark.parametrize("family", CONFIGS)
def test_dense_equals_the_librarys_attention_beyond_the_window(family: str) -> None:
    ids = torch.randint(5, 256, (2, LENGTH), generator=torch.Generator().manual_seed(1))

    expected = logits(random_model(family, "eager"), ids)
    found = logits(random_model(family, "sparsetol"), ids, Pass(DENSE, [0, 0], longest=LENGTH))

    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("family", LOCAL_LAYERS)
def test_what_the_family_adds_to_attention_matters(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above could not tell an ignored window, soft-cap or sink if these changed nothing."""
    ids = torch.randint(5, 256, (1, LENGTH), generator=torch.Generator().manual_seed(1))
    model = random_model(family, "sparsetol")
    honoured = logits(model, ids, Pass(DENSE, [0], longest=LENGTH))
    monkeypatch.setattr(attention, "_scoring", lambda module, query, scaling, extras: Scoring(scaling))

    # `window_given` keeps the check of the mask quiet: this looks at the attention alone.
    ignored = logits(model, ids, Pass(DENSE, [0], longest=LENGTH, window_given=True))

    assert (honoured - ignored).abs().max() > 0.1


@pytest.mark.parametrize("family", CONFIGS)
def test_sparsity_zero_reproduces_dense(family: str) -> None:
    ids = torch.randint(5, 256, (1, LENGTH), generator=torch.Generator().manual_seed(2))
    model = random_model(family, "sparsetol")

    dense = logits(model, ids, Pass(DENSE, [0], longest=LENGTH))
    sparse = logits(model, ids, Pass(Policy(prefill=VerticalSlash(0.0)), [0], longest=LENGTH))

    torch.testing.assert_close(sparse, dense, atol=1e-4, rtol=0)


def test_layers_with_a_window_stay_dense_and_are_reported() -> None:
    ids = torch.randint(5, 256, (1, LENGTH), generator=torch.Generator().manual_seed(2))
    current = Pass(Policy(prefill=VerticalSlash(0.3)), [0], longest=LENGTH)

    logits(random_model("gemma2", "sparsetol"), ids, current)

    assert current.meter.local_layers == {0}
    assert current.meter.entries["prefill"] == 4  # one global layer of four heads


def test_padding_on_the_left_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(5, 256, (1, 100), generator=generator)
    padded = torch.cat([torch.randint(5, 256, (1, 29), generator=generator), ids], dim=1)
    model = random_model("llama", "sparsetol")
    alone = logits(model, ids, Pass(Policy(prefill=VerticalSlash(0.2)), [0], longest=100))

    with torch.inference_mode(), forward_pass(Pass(Policy(prefill=VerticalSlash(0.2)), [29], longest=129)):
        positions = (torch.arange(129) - 29).clamp(min=0)[None]
        cached = with_cache(model, DynamicCache())
        beside = model(input_ids=padded, position_ids=positions, **cached).logits[:, 29:]

    torch.testing.assert_close(beside, alone, atol=1e-4, rtol=0)


def test_an_unknown_argument_of_the_models_attention_is_an_error() -> None:
    ids = torch.zeros(1, 4, dtype=torch.long)
    model = random_model("llama", "sparsetol")

    with pytest.raises(ModelError, match="position_bias"), forward_pass(Pass(DENSE, [0], longest=4)):
        model(input_ids=ids, position_bias=torch.zeros(1), use_cache=False)


def test_a_mask_that_is_not_causal_is_refused() -> None:
    with forward_pass(Pass(DENSE, [0], longest=8)), pytest.raises(ModelError, match="neither causal"):
        attention.mask(1, 8, 8, mask_function=lambda b, h, q, k: (k <= q) & (q // 4 == k // 4))


def test_a_window_that_attention_is_not_told_of_is_refused() -> None:
    ids = torch.randint(5, 256, (1, LENGTH))
    model = random_model("gemma2", "sparsetol")
    for layer in model.model.layers:
        layer.self_attn.sliding_window = None

    with pytest.raises(ModelError, match="passes no sliding_window"):
        logits(model, ids, Pass(DENSE, [0], longest=LENGTH))


def test_attention_outside_a_run_is_an_error() -> None:
    with pytest.raises(ModelError, match="outside a run"):
        random_model("llama", "sparsetol")(input_ids=torch.zeros(1, 4, dtype=torch.long))


def test_nothing_unselected_is_read() -> None:
    """Keys and values of unselected pages are poisoned: a mask over dense attention would spread the NaN."""
    method = Quest(0.8)
    generator = torch.Generator().manual_seed(4)
    query, key = torch.randn(4, 16, generator=generator), torch.randn(2, 400, 16, generator=generator)
    value = torch.randn(2, 400, 16, generator=generator)
    selection = method.select(method.new_state(), query, key)
    kept = torch.zeros(2, 400, dtype=torch.bool).scatter_(1, selection.tokens, value=True)
    expected = token_sparse_attention(query, key, value, selection, Scoring(0.25))
    key[~kept] = value[~kept] = float("nan")

    found = token_sparse_attention(query, key, value, selection, Scoring(0.25))

    assert torch.equal(found, expected)
