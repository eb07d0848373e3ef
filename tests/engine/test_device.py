"""Which device a process takes."""

from __future__ import annotations

import pytest
import torch

from pytest_sparsetol.engine.device import choose_device


def test_workers_take_several_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)

    for worker in ("gw0", "gw1", "gw2", "gw11"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        assert choose_device("auto").type == "cuda"

    assert taken == [0, 1, 0, 1]


def test_without_workers_the_current_gpu_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: pytest.fail("the current device was changed"))

    assert choose_device("cuda").type == "cuda"


def test_a_contract_for_the_cpu_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    assert choose_device("cpu").type == "cpu"
