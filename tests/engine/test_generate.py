"""Generation: the same tokens as the library's own, whatever the batch; policies act where they should."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.load import LoadedModel, load_model
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import CONFIGS, random_model, save_model


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: save_model(family, tmp_path_factory.mktemp(family)) for family in CONFIGS}


def load(folder: Path) -> LoadedModel:
    return load_model(ModelFiles("directory", folder.name, folder), ModelSpec(path=str(folder), dtype="float32"))


def prompts(lengths: list[int]) -> list[list[int]]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(5, 256, (length,), generator=generator).tolist() for length in lengths]


@pytest.mark.parametrize("family", CONFIGS)
def test_dense_answers_are_the_librarys(family: str, folders: dict[str, Path]) -> None:
    loaded = load(folders[family])
    reference = random_model(family, "eager")
    for prompt in prompts([70, 131]):
        ids = torch.tensor([prompt])
        expected = reference.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24, pad_token_id=0
        )[0, len(prompt) :].tolist()

        (found,), _ = generate(loaded, [prompt], [24], DENSE)

        assert found.ids == [token for token in expected if token != 2]


@pytest.mark.parametrize("policy", [DENSE, Policy(VerticalSlash(0.3), Quest(0.5))], ids=["dense", "sparse"])
@pytest.mark.parametrize("family", CONFIGS)
def test_a_batch_of_four_answers_as_each_alone(family: str, policy: Policy, folders: dict[str, Path]) -> None:
    loaded = load(folders[family])
    asked = prompts([150, 97, 203, 64])

    together, _ = generate(loaded, asked, [64] * 4, policy)

    assert together == [generate(loaded, [prompt], [64], policy)[0][0] for prompt in asked]
    assert any(len(answer.ids) == 64 for answer in together)


def test_sparsity_zero_gives_the_same_tokens_on_twenty_prompts(folders: dict[str, Path]) -> None:
    loaded = load(folders["llama"])
    asked = prompts([60 + 7 * i for i in range(20)])

    dense = [generate(loaded, [prompt], [16], DENSE)[0][0] for prompt in asked]

    for policy in (Policy(prefill=VerticalSlash(0.0)), Policy(decode=Quest(0.0))):
        assert dense == [generate(loaded, [prompt], [16], policy)[0][0] for prompt in asked]


def test_measured_sparsity_is_what_was_declared(folders: dict[str, Path]) -> None:
    loaded = load(folders["llama"])

    _, current = generate(loaded, prompts([1000, 1024]), [24, 24], Policy(VerticalSlash(0.67), Quest(0.9)))

    assert current.meter.measured("prefill") == pytest.approx(0.67, abs=0.01)
    assert current.meter.measured("decode") == pytest.approx(0.9, abs=0.01)
    assert current.meter.loaded_sparsity("decode") == pytest.approx(0.9 - 1 / 16, abs=0.01)


def test_steps_count_decoding_until_the_answer_ends(folders: dict[str, Path]) -> None:
    loaded = load(folders["llama"])
    prompt = prompts([40])[0]
    (free,), _ = generate(loaded, [prompt], [12], DENSE)
    loaded.model.generation_config.eos_token_id = [2, free.ids[5]]

    (ended, short), current = generate(loaded, [prompt, prompt], [12, 3], Policy(decode=Quest(0.0)))

    first = free.ids.index(free.ids[5])
    assert (ended.ids, ended.finish, ended.steps) == (free.ids[:first], "stop", first)
    assert (short.ids, short.finish, short.steps) == (free.ids[:3], "length", 2)
    # Two layers of two key heads each count the steps of unfinished sequences only.
    assert current.meter.entries["decode"] == 4 * (first + 2)
