"""Prompts are the same every day, and their identity covers all that makes them."""

from __future__ import annotations

import pytest
from sparsetol_suites.item import Fact

from pytest_sparsetol.engine.prompt import ChatPrompt, prompt_hash
from pytest_sparsetol.errors import ModelError
from tests.engine.models import word_tokenizer

TEMPLATE = "{% for m in messages %}| {{ m.content }} | {% if thinking %}w200{% endif %}{% endfor %} w9"


def test_the_chat_template_is_used_where_there_is_one() -> None:
    assert ChatPrompt(word_tokenizer(TEMPLATE), {}).encode("w7 w8") == [4, 7, 8, 4, 9]
    assert ChatPrompt(word_tokenizer(), {}).encode("w7 w8") == [7, 8]


def test_arguments_of_the_template_come_from_the_contract() -> None:
    assert ChatPrompt(word_tokenizer(TEMPLATE), {"thinking": True}).encode("w7") == [4, 7, 4, 200, 9]


@pytest.mark.parametrize(
    ("template", "ids"),
    [
        ("w{{ strftime_now('%d') | int + 50 }} w{{ strftime_now('%Y-%m-%d')[2:4] }}", [51, 26]),
        ("w{{ (date_string | default('30'))[:2] | int + 100 }}", [101]),
    ],
)
def test_todays_date_does_not_reach_the_prompt(template: str, ids: list[int]) -> None:
    assert ChatPrompt(word_tokenizer(template), {}).encode("x") == ids


def test_lengths_count_the_template() -> None:
    prompt = ChatPrompt(word_tokenizer(TEMPLATE), {})

    assert (prompt.prompt("w7 w8"), prompt.count("w7 w8")) == (5, 2)


def test_the_fingerprint_covers_template_and_arguments() -> None:
    prints = {
        ChatPrompt(word_tokenizer(TEMPLATE), {}).fingerprint(),
        ChatPrompt(word_tokenizer(TEMPLATE + " "), {}).fingerprint(),
        ChatPrompt(word_tokenizer(TEMPLATE), {"thinking": False}).fingerprint(),
    }

    assert len(prints) == 3
    assert ChatPrompt(word_tokenizer(TEMPLATE), {}).fingerprint() in prints


def test_a_prompts_hash_is_that_of_its_ids() -> None:
    assert prompt_hash([1, 23]) != prompt_hash([12, 3])
    assert len(prompt_hash([1])) == 16


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_facts_are_found_in_the_prompts_tokens(template: str | None) -> None:
    message = "w7 w8 w9 w10 w11"
    facts = [Fact(message.index(words), message.index(words) + len(words)) for words in ("w8 w9", "w11", "w7")]
    prompt = ChatPrompt(word_tokenizer(template), {})

    ids = prompt.encode(message)

    assert [ids[start:end] for start, end in prompt.token_spans(message, facts)] == [[8, 9], [11], [7]]


def test_facts_in_a_message_that_the_template_changes_are_not_guessed() -> None:
    prompt = ChatPrompt(word_tokenizer("{% for m in messages %}{{ m.content | upper }}{% endfor %}"), {})

    with pytest.raises(ModelError, match="do not tell where"):
        prompt.token_spans("w7", [Fact(0, 2)])
