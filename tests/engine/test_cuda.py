"""The engine on a CUDA device: every dense library that is installed, all dtypes, and the CPU's answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sparsetol_kernels.attention import Scoring, dense_attention

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine import dense
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.load import load_model
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.engine.prompt import Places
from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from pytest_sparsetol.methods.flexprefill import FlexPrefill
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from pytest_sparsetol.model_files import ModelFiles
from tests.engine.models import CONFIGS, save_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

TOLERANCE = {torch.bfloat16: 1e-2, torch.float16: 2e-3, torch.float32: 1e-4}
"""Largest ||out - reference|| / ||reference||, the reference in float64."""

SCORINGS = {
    "plain": Scoring(0.125),
    "window": Scoring(0.125, window=100),
    "softcap": Scoring(0.5, softcap=5.0),
    "sinks": Scoring(0.125, sinks=torch.tensor([0.5, -1.0, 2.0, 0.0])),
}


def libraries() -> list[str]:
    return [library.name for library in dense.installed_flash_attention()] if torch.cuda.is_available() else []


@pytest.mark.parametrize("library", [*libraries(), "none"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("queries", [700, 1])
@pytest.mark.parametrize("name", SCORINGS)
def test_dense_backends(
    library: str,
    dtype: torch.dtype,
    queries: int,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    scoring = SCORINGS[name]
    installed = dense.installed_flash_attention()
    monkeypatch.setattr(
        dense, "installed_flash_attention", lambda: tuple(one for one in installed if one.name == library)
    )
    generator = torch.Generator().manual_seed(1)
    query = torch.randn(2, 4, queries, 64, generator=generator).to(dtype)
    key, value = (torch.randn(2, 2, 700, 64, generator=generator).to(dtype) for _ in range(2))
    starts = [0, 123]
    on_device = Scoring(
        scoring.scale, scoring.window, scoring.softcap, None if scoring.sinks is None else scoring.sinks.cuda()
    )

    found, backend = dense.attend(query.cuda(), key.cuda(), value.cuda(), starts, on_device)

    record_property("backend", backend)
    # Builds leave out what they like of the rest.
    shares = next((one.shares for one in installed if one.name == library), 0)
    if library != "none" and dtype == torch.bfloat16 and name == "plain":
        decodes = queries > 1 or torch.cuda.get_device_capability()[0] >= shares
        assert backend == (library if decodes else "sdpa")
    for sequence, start in enumerate(starts):
        first = max(0, start - (700 - queries))
        expected = dense_attention(
            query[sequence, :, first:].double(),
            key[sequence, :, start:].double(),
            value[sequence, :, start:].double(),
            scoring,
        )
        mine = found[sequence, first:].transpose(0, 1).double().cpu()
        assert (mine - expected).norm() / expected.norm() < TOLERANCE[dtype]
        assert not found[sequence, :first].any()


POLICIES = {
    "dense": DENSE,
    "sparse": Policy(VerticalSlash(0.3), Quest(0.5)),
    "flexprefill": Policy(FlexPrefill(0.3)),
    "ada_snapkv": Policy(kv=AdaSnapKV(0.5)),
}


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
def test_answers_are_the_cpus(family: str, policy: Policy, tmp_path: Path) -> None:
    files = ModelFiles("directory", family, save_model(family, tmp_path))
    generator = torch.Generator().manual_seed(5)
    prompts = [torch.randint(5, 256, (length,), generator=generator).tolist() for length in (150, 203)]
    places = [Places(((20, 26), (70, 71)), 100), Places(((7, 30),), 60)]
    answers, passes = {}, {}
    for device in ("cpu", "cuda"):
        spec = ModelSpec.model_validate({"path": "m", "dtype": "float32", "device": device})
        answers[device], passes[device] = generate(load_model(files, spec), prompts, [32, 32], policy, places)

    assert answers["cuda"] == answers["cpu"]
    on_cpu, on_cuda = (passes[device].evidence for device in ("cpu", "cuda"))
    if on_cpu is None or on_cuda is None:
        assert policy == DENSE
        return
    for sequence in range(2):
        found, expected = on_cuda.facts(sequence), on_cpu.facts(sequence)
        assert found.keys() == expected.keys()
        for phase, facts in expected.items():
            for mine, theirs in zip(found[phase], facts, strict=True):
                assert (mine.mean, mine.best) == pytest.approx((theirs.mean, theirs.best), abs=0.02)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_dtypes_run_and_hold_their_sparsity(dtype: str, tmp_path: Path) -> None:
    files = ModelFiles("directory", "llama", save_model("llama", tmp_path))
    loaded = load_model(files, ModelSpec.model_validate({"path": "m", "dtype": dtype, "device": "cuda"}))
    prompts = [list(range(5, 205)) * 5, list(range(7, 207)) * 5]

    _, current = generate(loaded, prompts, [24, 24], Policy(VerticalSlash(0.67), Quest(0.9)))

    assert current.meter.measured("prefill") == pytest.approx(0.67, abs=0.01)
    assert current.meter.measured("decode") == pytest.approx(0.9, abs=0.01)
