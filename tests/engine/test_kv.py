"""Kv methods in a run: prompt tokens are dropped once prefill is over, and never read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine import attention, retention
from pytest_sparsetol.engine import generate as generation
from pytest_sparsetol.engine.cache import GrowingCache
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.load import LoadedModel, load_model
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.engine.retention import Retained
from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from pytest_sparsetol.methods.base import KvMethod
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.snapkv import SnapKV
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import CONFIGS, save_model

METHODS = [SnapKV(0.8), AdaSnapKV(0.8)]
POLICIES = {
    "snapkv": Policy(kv=SnapKV(0.5)),
    "ada_snapkv": Policy(kv=AdaSnapKV(0.5, sinks=0)),
    "all three phases": Policy(VerticalSlash(0.3), Quest(0.3), AdaSnapKV(0.3)),
}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load(save_model("llama", tmp_path_factory.mktemp("llama")))


def load(folder: Path) -> LoadedModel:
    return load_model(ModelFiles("directory", folder.name, folder), ModelSpec(path=str(folder), dtype="float32"))


def prompts(lengths: list[int]) -> list[list[int]]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(5, 256, (length,), generator=generator).tolist() for length in lengths]


@pytest.mark.parametrize("kv", [SnapKV(0.0), AdaSnapKV(0.0)])
def test_sparsity_zero_gives_the_dense_tokens(kv: KvMethod, llama: LoadedModel) -> None:
    for prompt in prompts([61, 202]):
        dense, _ = generate(llama, [prompt], [16], DENSE)

        assert generate(llama, [prompt], [16], Policy(kv=kv))[0] == dense
        assert generate(llama, [prompt], [16], Policy(decode=Quest(0.0), kv=kv))[0] == dense


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
def test_a_batch_of_four_answers_as_each_alone(policy: Policy, llama: LoadedModel) -> None:
    asked = prompts([150, 97, 203, 64])

    together, _ = generate(llama, asked, [64] * 4, policy)

    assert together == [generate(llama, [prompt], [64], policy)[0][0] for prompt in asked]
    assert any(len(answer.ids) == 64 for answer in together)
    assert together != generate(llama, asked, [64] * 4, DENSE)[0]


@pytest.mark.parametrize("kv", METHODS)
def test_measured_sparsity_is_what_was_declared(kv: KvMethod, llama: LoadedModel) -> None:
    _, current = generate(llama, prompts([1000, 1024]), [8, 8], Policy(kv=kv))

    assert current.meter.measured("kv") == pytest.approx(0.8, abs=0.001)
    assert current.meter.loaded_sparsity("kv") == pytest.approx(0.8, abs=0.001)
    assert current.meter.entries["kv"] == 8  # two layers of two key heads, two sequences
    assert current.meter.measured("decode") is None
    assert f"{kv.name} pytorch" in current.backends


@pytest.mark.parametrize("kv", METHODS)
def test_a_decode_method_holds_its_sparsity_of_what_is_left(kv: KvMethod, llama: LoadedModel) -> None:
    _, current = generate(llama, prompts([1024, 1000]), [33, 33], Policy(decode=Quest(0.5), kv=kv))

    assert current.meter.measured("kv") == pytest.approx(0.8, abs=0.001)
    assert current.meter.measured("decode") == pytest.approx(0.5, abs=0.01)


def test_a_first_token_is_dense(llama: LoadedModel) -> None:
    asked = prompts([200])

    assert generate(llama, asked, [1], Policy(kv=SnapKV(0.9)))[0] == generate(llama, asked, [1], DENSE)[0]


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
def test_dropped_keys_and_values_are_never_read(
    policy: Policy, llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Poisoned(GrowingCache):
        """Hands out NaN for what was dropped."""

        def update(
            self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
        ) -> tuple[Tensor, Tensor]:
            parts = super().update(key_states, value_states, layer_idx, *args, **kwargs)
            current = attention._current()
            if current.phase == "prefill":
                return parts
            key, value = (part.clone() for part in parts)
            for (owner, sequence), retained in current.retained.items():
                if owner == layer_idx:
                    poison(retained, current.starts[sequence], key[sequence], value[sequence])
            poisoned.append(bool(key.isnan().any()))
            return key, value

    def poison(retained: Retained, start: int, *parts: Tensor) -> None:
        for head in range(retained.tokens.shape[0]):
            gone = torch.ones(retained.prompt, dtype=torch.bool)
            gone[retained.tokens[head, : retained.count[head]]] = False
            for part in parts:
                part[head, start : start + retained.prompt][gone] = float("nan")

    poisoned: list[bool] = []
    asked = prompts([150, 97])
    expected, _ = generate(llama, asked, [24, 24], policy)
    monkeypatch.setattr(generation, "GrowingCache", Poisoned)

    found, _ = generate(llama, asked, [24, 24], policy)

    assert found == expected
    assert poisoned
    assert all(poisoned)


def test_layers_with_a_window_keep_all(tmp_path: Path) -> None:
    gemma = load(save_model("gemma2", tmp_path))

    _, current = generate(gemma, prompts([150]), [4], Policy(kv=SnapKV(0.5)))

    assert list(current.retained) == [(1, 0)]
    assert current.meter.local_layers == {0}


@pytest.mark.parametrize("family", [family for family in CONFIGS if family != "llama"])
def test_other_families(family: str, tmp_path: Path) -> None:
    loaded = load(save_model(family, tmp_path))
    asked = prompts([150, 97])

    found, _ = generate(loaded, asked, [12, 12], Policy(kv=AdaSnapKV(0.0)))

    assert found == generate(loaded, asked, [12, 12], DENSE)[0]


def test_what_is_left_is_the_kept_tokens_then_all_later_ones() -> None:
    kept = torch.tensor([[True, False, True, False, False], [True, True, False, True, True]])

    left = Retained.of(kept).cached(7)

    assert left.count.tolist() == [4, 6]
    assert left.tokens[0, :4].tolist() == [0, 2, 5, 6]
    assert left.tokens[1].tolist() == [0, 1, 3, 4, 5, 6]


def test_what_is_left_grows_with_the_answer() -> None:
    kept = torch.tensor([[1, 0, 0, 1, 1, 0], [0, 0, 1, 0, 0, 0]], dtype=torch.bool)
    retained = Retained.of(kept)

    for fresh in (1, 2, retention.ROOM, retention.ROOM + 1):
        left = retained.cached(6 + fresh)
        later = list(range(6, 6 + fresh))
        assert [row[:count].tolist() for row, count in zip(left.tokens, left.count, strict=True)] == [
            [0, 3, 4, *later],
            [2, *later],
        ]
