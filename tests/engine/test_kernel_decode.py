"""Decoding by whole batches, as on a GPU, is decoding sequence by sequence: same answers, same measured sparsity."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sparsetol_kernels.backend import Backend

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine import attention, quest_pages, retention
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.load import LoadedModel, load_model
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.engine.prompt import Places
from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import save_model

POLICIES = {
    "quest": Policy(decode=Quest(0.5)),
    "quest from the question": Policy(decode=Quest(0.8), from_question=True),
    "quest in pages of 5": Policy(decode=Quest(0.8, page_size=5)),
    "ada_snapkv": Policy(kv=AdaSnapKV(0.5)),
    "quest over ada_snapkv": Policy(kv=AdaSnapKV(0.3), decode=Quest(0.5)),
}

KERNELS = {"quest": {"attend_split", "merge_splits", "score_pages", "select_pages", "bound_last_pages"}}
"""What must run on the GPU; for other policies the first two."""


def prompts() -> list[list[int]]:
    generator = torch.Generator().manual_seed(8)
    return [torch.randint(5, 256, (length,), generator=generator).tolist() for length in (150, 97, 203, 5)]


PLACES = [Places(((20, 26), (70, 71)), 10), Places(((7, 30),), 60), Places(((100, 140),), 190), Places(((0, 2),), 4)]


def load(family: str, folder: Path, device: str, dtype: str = "float32") -> LoadedModel:
    files = ModelFiles("directory", family, save_model(family, folder))
    return load_model(files, ModelSpec.model_validate({"path": "m", "dtype": dtype, "device": device}))


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt_oss"])
def test_a_batch_at_once_answers_as_sequence_by_sequence(
    family: str, policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(family, tmp_path, "cpu")
    expected, by_sequence = generate(loaded, prompts(), [48, 20, 33, 48], policy, PLACES)

    # The operators compute by PyTorch on a CPU; what is put into them is what a GPU gets.
    monkeypatch.setattr(quest_pages, "ROOM", 1)
    monkeypatch.setattr(retention, "ROOM", 5)
    monkeypatch.setattr(attention, "sparse_decode_backend", lambda *_: Backend.TRITON)
    found, at_once = generate(loaded, prompts(), [48, 20, 33, 48], policy, PLACES)

    assert found == expected
    assert by_sequence.evidence is not None
    assert at_once.evidence is not None
    for sequence in range(4):
        assert at_once.evidence.facts(sequence) == by_sequence.evidence.facts(sequence)
    for phase in ("kv", "decode"):
        assert at_once.meter.measured(phase) == by_sequence.meter.measured(phase)
        assert at_once.meter.loaded_sparsity(phase) == by_sequence.meter.loaded_sparsity(phase)
    assert any(backend.endswith("triton") for backend in at_once.backends)
    assert not any(backend.endswith("triton") for backend in by_sequence.backends)


# Some releases of torch warn of each profile that ends.
@pytest.mark.filterwarnings("ignore:Warning. Profiler clears events:UserWarning")
@pytest.mark.gpu
@pytest.mark.filterwarnings("default")  # the profiler has its own
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", POLICIES)
def test_the_kernels_ran(name: str, dtype: str, tmp_path: Path) -> None:
    loaded = load("llama", tmp_path, "cuda", dtype)

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        _, current = generate(loaded, prompts(), [8] * 4, POLICIES[name], PLACES)
        torch.cuda.synchronize()

    ran = {event.key for event in profiler.key_averages()}
    assert KERNELS.get(name, {"attend_split", "merge_splits"}) <= ran
    part = "quest" if POLICIES[name].kv is None else "decode attention"
    assert f"{part} triton" in current.backends
