"""Which backend takes a call, by what is installed."""

from __future__ import annotations

import pytest
import torch
from sparsetol_kernels import backend
from sparsetol_kernels.backend import Backend
from sparsetol_kernels.block_sparse_attention import block_sparse_backend
from sparsetol_kernels.errors import BackendError

TENSOR = torch.zeros(1, 1, 16, 16)


@pytest.mark.parametrize(
    ("version", "chosen"),
    [(None, Backend.PYTORCH), ((3, 5), Backend.PYTORCH), ((3, 6), Backend.TRITON), ((4, 0), Backend.TRITON)],
)
def test_an_older_triton_leaves_it_to_pytorch(
    version: tuple[int, int] | None, chosen: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr(backend, "triton_version", lambda: version)

    assert block_sparse_backend(TENSOR, TENSOR, TENSOR, 16) is chosen
    if chosen is Backend.PYTORCH:
        with pytest.raises(BackendError, match="triton does not take"):
            block_sparse_backend(TENSOR, TENSOR, TENSOR, 16, backend=Backend.TRITON)
