"""The page on models says what ran: each family beyond its window, under every method, or refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, BloomConfig, FalconConfig, Llama4TextConfig, Qwen3NextConfig, T5Config

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine import attention
from pytest_sparsetol.engine.attention import Pass, forward_pass
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.load import LoadedModel, load_model
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.errors import ModelError
from pytest_sparsetol.methods.registry import METHODS
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import CONFIGS, LAYERS, LOCAL_LAYERS, WINDOW, random_model, save_model, word_tokenizer

PAGE = Path(__file__).parents[2] / "docs/models.md"
TITLES = {
    "llama": "Llama",
    "mistral": "Mistral",
    "qwen2": "Qwen2",
    "qwen3": "Qwen3",
    "qwen3_moe": "Qwen3-MoE",
    "phi3": "Phi-3",
    "gemma2": "Gemma-2",
    "gemma3": "Gemma-3",
    "olmo2": "OLMo-2",
    "granite": "Granite",
    "smollm3": "SmolLM3",
    "gpt_oss": "gpt-oss",
}
BEYOND = 3 * WINDOW + 5
LENGTH = 640
"""Long enough that every method reaches 0.5 with its default parameters."""

TINY: dict[str, Any] = {"vocab_size": 256, "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4}
REFUSED: dict[str, Any] = {
    "T5": T5Config(vocab_size=256),
    "Llama-4": Llama4TextConfig(**TINY),
    "Qwen3-Next": Qwen3NextConfig(**TINY),
    "BLOOM": BloomConfig(vocab_size=256, hidden_size=64, n_layer=2, n_head=4),
    "Falcon": FalconConfig(**TINY),
}


def load(folder: Path) -> LoadedModel:
    return load_model(ModelFiles("directory", folder.name, folder), ModelSpec(path=str(folder), dtype="float32"))


def prompts(lengths: list[int]) -> list[list[int]]:
    generator = torch.Generator().manual_seed(6)
    return [torch.randint(5, 256, (length,), generator=generator).tolist() for length in lengths]


def beyond_the_window(family: str, monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], int]:
    """Assert that dense equals eager; tell what the family adds to attention, and how many layers are local."""
    added: set[str] = set()
    scoring_of = attention._scoring

    def watched(module: Any, query: torch.Tensor, scaling: float | None, extras: dict[str, Any]) -> Any:
        scoring = scoring_of(module, query, scaling, extras)
        for name, there in (
            ("window", scoring.window is not None),
            ("soft-cap", scoring.softcap is not None),
            ("sinks", scoring.sinks is not None),
            ("own scale", abs(scoring.scale - query.shape[-1] ** -0.5) > 1e-6),
        ):
            added.update([name] if there else [])
        return scoring

    monkeypatch.setattr(attention, "_scoring", watched)
    attention.register()
    ids = torch.tensor(prompts([BEYOND, BEYOND]))
    current = Pass(DENSE, [0, 0], longest=BEYOND)
    with torch.inference_mode():
        expected = random_model(family, "eager")(input_ids=ids, use_cache=False).logits
        with forward_pass(current):
            found = random_model(family, "sparsetol")(input_ids=ids, use_cache=False).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert len(current.meter.layers) == LAYERS
    return added, len(current.meter.local_layers)


def methods_at_half(family: str, folder: Path) -> list[str]:
    """Methods that run a padded batch at sparsity 0.5 and hold it."""
    save_model(family, folder)
    if LOCAL_LAYERS.get(family) == LAYERS:
        # No layer is left to a method beyond the window, so the prompts must fit into it.
        config = json.loads((folder / "config.json").read_text()) | {"sliding_window": 2 * LENGTH}
        (folder / "config.json").write_text(json.dumps(config))
    loaded = load(folder)
    asked = prompts([LENGTH, LENGTH - 37])
    held = []
    for name, method in METHODS.items():
        policy = Policy(**{method.phase: method(sparsity=0.5)})  # type: ignore[arg-type]  # the phase says which
        answers, current = generate(loaded, asked, [16, 16], policy)
        assert all(answers)
        if current.meter.measured(method.phase) == pytest.approx(0.5, abs=0.01):
            held.append(name)
    return held


def row(family: str, added: set[str], local: int, held: list[str]) -> str:
    """A line of the page's first table."""
    methods = "all" if set(held) == set(METHODS) else ", ".join(held)
    extras = ", ".join(sorted(added)) or "nothing"
    return f"| {TITLES[family]} | `{CONFIGS[family].model_type}` | {extras} | {local} of {LAYERS} | {methods} |"


def page_rows(heading: str) -> list[str]:
    lines = PAGE.read_text().partition(heading)[2].partition("\n#")[0].splitlines()
    return [line for line in lines if line.startswith("| ")][1:]


@pytest.mark.parametrize("family", CONFIGS)
def test_the_page_says_what_the_family_does(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added, local = beyond_the_window(family, monkeypatch)

    line = row(family, added, local, methods_at_half(family, tmp_path))

    assert local == LOCAL_LAYERS.get(family, 0)
    assert line in page_rows("## Families that run"), f"docs/models.md should have this row:\n{line}"


def test_the_page_names_these_families_and_no_others() -> None:
    assert sorted(entry.split(" | ")[0].strip("| ") for entry in page_rows("## Families that run")) == sorted(
        TITLES[family] for family in CONFIGS
    )
    assert [entry.split(" | ")[0].strip("| ") for entry in page_rows("## Families that are refused")] == list(REFUSED)


@pytest.mark.parametrize("title", REFUSED)
def test_the_page_says_why_a_family_is_refused(title: str, tmp_path: Path) -> None:
    config = REFUSED[title]
    if title in {"BLOOM", "Falcon"}:
        # These are found out with their weights.
        AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)  # type: ignore[no-untyped-call]  # untyped
    else:
        config.save_pretrained(tmp_path)
    word_tokenizer().save_pretrained(tmp_path)

    with pytest.raises(ModelError) as refused:
        load(tmp_path)

    line = f"| {title} | {refused.value} |"
    assert line in page_rows("## Families that are refused"), f"docs/models.md should have this row:\n{line}"
