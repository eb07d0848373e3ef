"""Prefill by the operators that have kernels, as on a GPU, is prefill by definition; on a GPU the kernels run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sparsetol_kernels.backend import Backend

from pytest_sparsetol.engine import prefill
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.methods.base import PrefillMethod
from pytest_sparsetol.methods.block_sparse import BlockSparse
from pytest_sparsetol.methods.flexprefill import FlexPrefill
from pytest_sparsetol.methods.sliding_window import SlidingWindow
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from tests.engine.test_kernel_decode import load, prompts

METHODS: dict[str, tuple[PrefillMethod, str]] = {
    "block_sparse": (BlockSparse(0.5), "block_sparse_forward"),
    "block_sparse, blocks of 64": (BlockSparse(0.1, block=64), "block_sparse_forward"),
    "block_sparse, lists of key heads": (BlockSparse(0.5, lists="key_head"), "block_sparse_forward"),
    "flexprefill": (FlexPrefill(0.3), "vertical_slash_forward"),
    "sliding_window": (SlidingWindow(0.4), "vertical_slash_forward"),
    "vertical_slash": (VerticalSlash(0.3), "vertical_slash_forward"),
}


@pytest.mark.parametrize("method", [method for method, _ in METHODS.values()], ids=METHODS.keys())
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt_oss"])
def test_operators_are_put_to_the_same_work(
    family: str, method: PrefillMethod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(family, tmp_path, "cpu")
    expected, by_definition = generate(loaded, prompts(), [6] * 4, Policy(method))

    # The operators compute by PyTorch on a CPU; what is put into them is what a GPU gets.
    for name in ("block_sparse", "vertical_slash"):
        operator = getattr(prefill, f"{name}_attention")

        def on_cpu(*tensors: Any, backend: Backend, operator: Any = operator, **extras: Any) -> Any:
            assert backend is Backend.TRITON
            return operator(*tensors, **extras, backend=Backend.PYTORCH)

        monkeypatch.setattr(prefill, f"{name}_attention", on_cpu)
        monkeypatch.setattr(prefill, f"{name}_backend", lambda *_, **__: Backend.TRITON)
    found, by_operators = generate(loaded, prompts(), [6] * 4, Policy(method))

    assert found == expected
    assert by_operators.meter.measured("prefill") == by_definition.meter.measured("prefill")
    assert f"{method.name} triton" in by_operators.backends
    assert f"{method.name} pytorch" in by_definition.backends


# Some releases of torch warn of each profile that ends.
@pytest.mark.filterwarnings("ignore:Warning. Profiler clears events:UserWarning")
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("method", "kernel"), METHODS.values(), ids=METHODS.keys())
def test_the_kernels_ran(method: PrefillMethod, kernel: str, dtype: str, tmp_path: Path) -> None:
    loaded = load("llama", tmp_path, "cuda", dtype)

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        _, current = generate(loaded, prompts(), [8] * 4, Policy(method))
        torch.cuda.synchronize()

    assert kernel in {event.key for event in profiler.key_averages()}
    assert f"{method.name} triton" in current.backends
    assert f"{method.name} pytorch" not in current.backends
