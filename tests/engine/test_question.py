"""Decoding from the question on: the context is read first, the question runs under the policy."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.generate import Generation, generate
from pytest_sparsetol.engine.load import LoadedModel, load_model
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.engine.prompt import Places
from pytest_sparsetol.errors import ModelError
from pytest_sparsetol.methods.registry import METHODS
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import save_model

LENGTHS = [330, 297, 403, 264]
QUESTIONS = [5, 40, 1, 17]
"""Tokens of each prompt's question."""

PLACES = [Places((), length - asked) for length, asked in zip(LENGTHS, QUESTIONS, strict=True)]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = save_model("llama", tmp_path_factory.mktemp("llama"))
    return load_model(ModelFiles("directory", "llama", folder), ModelSpec(path=str(folder), dtype="float32"))


def prompts(lengths: Sequence[int] = LENGTHS) -> list[list[int]]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randint(5, 256, (length,), generator=generator).tolist() for length in lengths]


def policy(name: str, sparsity: float, *, from_question: bool = True) -> Policy:
    method = METHODS[name]
    return Policy(**{method.phase: method(sparsity=sparsity)}, from_question=from_question)  # type: ignore[arg-type]  # the phase says which


def alone(loaded: LoadedModel, chosen: Policy, budget: int) -> list[Generation]:
    return [
        generate(loaded, [prompt], [budget], chosen, [place])[0][0]
        for prompt, place in zip(prompts(), PLACES, strict=True)
    ]


def acting_after_prefill() -> list[str]:
    return [name for name, method in METHODS.items() if method.phase != "prefill"]


@pytest.mark.parametrize("name", acting_after_prefill())
def test_sparsity_zero_gives_the_dense_answers(name: str, llama: LoadedModel) -> None:
    dense, _ = generate(llama, prompts(), [16] * 4, DENSE)

    found, _ = generate(llama, prompts(), [16] * 4, policy(name, 0.0), PLACES)

    assert [answer.ids for answer in found] == [answer.ids for answer in dense]
    assert [answer.finish for answer in found] == [answer.finish for answer in dense]


@pytest.mark.parametrize("from_question", [True, False], ids=["question", "answer"])
@pytest.mark.parametrize("name", METHODS)
def test_sixty_four_tokens_of_a_batch_of_four_are_those_of_each_alone(
    name: str, from_question: bool, llama: LoadedModel
) -> None:
    sparse = policy(name, 0.25 if METHODS[name].phase == "prefill" else 0.5, from_question=from_question)

    together, _ = generate(llama, prompts(), [64] * 4, sparse, PLACES)

    assert together == alone(llama, sparse, 64)
    assert any(len(answer.ids) == 64 for answer in together)


def test_an_answer_that_ends_inside_a_batch_leaves_the_others_as_they_are(llama: LoadedModel) -> None:
    sparse = policy("snapkv", 0.5)
    free = alone(llama, sparse, 24)
    before = llama.model.generation_config.eos_token_id
    # The first sequence ends while the second is still being asked its forty tokens.
    llama.model.generation_config.eos_token_id = [2, free[0].ids[3]]
    try:
        together, _ = generate(llama, prompts(), [24] * 4, sparse, PLACES)
        expected = alone(llama, sparse, 24)
    finally:
        llama.model.generation_config.eos_token_id = before

    assert together == expected
    assert together[0].finish == "stop"
    assert together[0].ids == free[0].ids[: free[0].ids.index(free[0].ids[3])]
    assert len(together[1].ids) > 4


def test_the_questions_tokens_are_steps_and_the_first_answer_token_is_sparse(llama: LoadedModel) -> None:
    harsh = policy("snapkv", 0.95)

    answers, current = generate(llama, prompts(), [1] * 4, harsh, PLACES)

    assert [answer.steps for answer in answers] == QUESTIONS
    assert answers != generate(llama, prompts(), [1] * 4, DENSE)[0]
    assert current.meter.measured("kv") == pytest.approx(0.95, abs=0.01)
    # What was dropped was chosen from the context alone.
    assert [current.retained[0, sequence].prompt for sequence in range(4)] == [place.question for place in PLACES]


def test_evicting_methods_do_not_see_the_question(llama: LoadedModel) -> None:
    (prompt,) = prompts([300])
    other = prompt[:280] + prompts([21])[0][1:]
    kept = []
    for asked in (prompt, other):
        _, current = generate(llama, [asked], [2], policy("ada_snapkv", 0.8), [Places((), 280)])
        kept.append(current.retained[1, 0])

    assert torch.equal(kept[0].tokens, kept[1].tokens)
    assert torch.equal(kept[0].count, kept[1].count)


def test_decoding_holds_its_sparsity_over_question_and_answer(llama: LoadedModel) -> None:
    _, current = generate(llama, prompts([1000]), [8], policy("quest", 0.9), [Places((), 940)])

    assert current.meter.measured("decode") == pytest.approx(0.9, abs=0.01)
    assert current.meter.entries["decode"] == 2 * 2 * (60 + 7)  # layers, key heads, steps


@pytest.mark.parametrize(
    ("place", "reason"),
    [(None, "not known where"), (Places((), None), "not known where"), (Places((), 0), "nothing before its question")],
)
def test_a_question_that_cannot_be_found_is_an_error(place: Places | None, reason: str, llama: LoadedModel) -> None:
    with pytest.raises(ModelError, match=reason):
        generate(llama, prompts([60]), [4], policy("quest", 0.0), [place])
