from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from sparsetol_suites.suite import SuiteTask, load_suite
from transformers import PreTrainedTokenizerFast

from baselines.reference.batches import LENGTHS, Encoder, encode_example, first_stage, last_stage, make_batch
from baselines.reference.examples import TASKS, best_reply, example
from baselines.reference.tokenizer import SUITE, Counter, build_tokenizer, suite_words

ENTRIES = load_suite(SUITE, Path()).tasks


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(suite_words())


@pytest.mark.parametrize(
    "text", ["Document 1 (Ada Oxley)\nThe pet.", "\n foo (  bar) 1234 é 日本\t", "  a\n\n\n  b", " ", ""]
)
def test_any_text_survives(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_replies_score_one_and_fit_the_budget(tokenizer: PreTrainedTokenizerFast, entry: SuiteTask) -> None:
    encoder = Encoder(tokenizer)
    for index in range(20):
        item = entry.generate(1024, Counter(), 77, index)
        turn = best_reply(entry.task, item)
        assert entry.score(item, turn.reply).value == 1
        ids = encoder.encode(turn.reply)
        assert entry.score(item, str(tokenizer.decode(ids))).value == 1
        assert len(ids) < entry.answer_tokens


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_words_are_tokens_and_counted(tokenizer: PreTrainedTokenizerFast, entry: SuiteTask) -> None:
    encoder = Encoder(tokenizer)
    for index in range(5):
        message = entry.generate(1024, Counter(), 78, index).prompt
        ids = tokenizer(message, add_special_tokens=False)["input_ids"]
        assert ids == encoder.encode(message)
        assert len(ids) == Counter().text(message)


@pytest.mark.parametrize("task", TASKS)
def test_examples_fit_their_length(tokenizer: PreTrainedTokenizerFast, task: str) -> None:
    encoder = Encoder(tokenizer)
    rng = Random(1)
    for length in LENGTHS[first_stage(task) : last_stage(task) + 1]:
        made = encode_example(encoder, example(task, length, rng))
        assert len(made.ids) <= length
        assert all(0 < len(right) <= 5 for right in made.targets)


@pytest.mark.parametrize("task", TASKS)
def test_further_turns_are_answered_from_the_context(task: str) -> None:
    rng = Random(2)
    seen = 0
    for _ in range(20):
        turns = example(task, min(896, LENGTHS[last_stage(task)]), rng)
        context = turns[0].message.rpartition("\n\n")[0]
        said = {*re.findall(r"\w+", context), *"ABCD", "True", "False", "Answer", "Before", "came", "the"}
        for turn in turns[1:]:
            seen += 1
            # A gap is what a question shows, never what it is answered with.
            assert "___" not in turn.reply
            assert set(re.findall(r"[A-Za-z]+", turn.reply)) <= said
    assert seen or task in {"cwe", "story_filtering", "pairs"}


def test_places_predict_the_reply(tokenizer: PreTrainedTokenizerFast) -> None:
    batch = make_batch(Encoder(tokenizer), 256, 2048, [1.0] * len(TASKS[:1]) + [0.0] * (len(TASKS) - 1), Random(3))
    following = batch.ids.ravel()[batch.places + 1]
    assert (following == batch.targets[:, 0]).all()
    assert batch.turns[-1] == len(batch.turn_tasks) - 1


def test_lists_are_replied_in_any_order() -> None:
    rng = Random(4)
    replies = [
        [int(number) for number in re.findall(r"\d+", example("story_filtering", 896, rng)[0].reply)] for _ in range(30)
    ]
    assert any(numbers != sorted(numbers) for numbers in replies)


def test_wrong_options_may_differ_from_the_right_one_in_one_word() -> None:
    rng = Random(5)
    alike = 0
    for _ in range(30):
        for turn in example("qa_one", 896, rng)[1:]:
            options = dict(re.findall(r"^([A-D])\. (.*)$", turn.message, flags=re.MULTILINE))
            right = options.get(turn.reply[-1], "").split()
            alike += any(
                len(wrong.split()) == len(right) and wrong.split()[-1:] == right[-1:]
                for letter, wrong in options.items()
                if letter != turn.reply[-1]
            )
    assert alike >= 10
