"""The model that ships: what it is, and that it answers what its tasks ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from sparsetol_suites.suite import SuiteTask, load_suite
from transformers import AutoModelForCausalLM, AutoTokenizer

from baselines.reference.tokenizer import SUITE, build_tokenizer, suite_words
from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.engine.policy import DENSE
from pytest_sparsetol.model_files import locate

MODEL = Path(__file__).parents[2] / "baselines" / "reference" / "model"
NEVER_SEEN = 987_654_321
"""A seed that neither training nor any contract uses."""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(locate(str(MODEL), Path.cwd()), ModelSpec(path=str(MODEL), dtype="float32", device="cpu"))


def test_it_is_a_plain_llama_with_grouped_heads_in_25_megabytes() -> None:
    model = AutoModelForCausalLM.from_pretrained(MODEL)
    config = model.config

    assert type(model).__name__ == "LlamaForCausalLM"
    assert (config.head_dim, config.num_attention_heads, config.num_key_value_heads) == (64, 6, 3)
    assert str(config.dtype) == "torch.bfloat16"
    assert sum(path.stat().st_size for path in MODEL.iterdir()) <= 25_000_000


def test_its_tokenizer_is_the_one_that_the_suite_makes() -> None:
    shipped = AutoTokenizer.from_pretrained(MODEL)
    made = build_tokenizer(suite_words())

    assert shipped.get_vocab() == made.get_vocab()
    assert shipped.chat_template == made.chat_template


@pytest.mark.slow
@pytest.mark.parametrize("entry", load_suite(SUITE, Path()).tasks, ids=lambda entry: entry.name)
def test_it_answers_items_that_nothing_has_seen(engine: Engine, entry: SuiteTask) -> None:
    items = [entry.generate(1024, engine.prompt, NEVER_SEEN, index) for index in range(4)]

    answers, _ = engine.answer(
        [engine.prompt.encode(item.prompt) for item in items], [entry.answer_tokens] * len(items), DENSE
    )

    scores = [entry.score(item, engine.text(answer)).value for item, answer in zip(items, answers, strict=True)]
    assert sum(scores) / len(scores) >= 0.75
