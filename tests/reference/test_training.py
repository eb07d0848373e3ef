from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from baselines.reference.batches import LENGTHS, first_stage
from baselines.reference.examples import TASKS
from baselines.reference.muon import Muon, orthogonal
from baselines.reference.network import Network, new_model
from baselines.reference.train import Progress, advance, load_checkpoint, loss_of, rate_at, save_checkpoint


def small_model() -> Any:
    torch.manual_seed(0)
    model = new_model(300, width=128, layers=2, inner=96, kv_heads=1, ids=(0, 1, 4))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.1)
    return model


def fresh_progress() -> Progress:
    return Progress(0, 0.0, 0, [first_stage(task) for task in TASKS], [[None] * len(LENGTHS) for _ in TASKS], [])


def test_the_training_network_is_the_library_s() -> None:
    model = small_model()
    ids = torch.randint(0, 300, (3, 50))
    network = Network(model, compiled=False, dtype=torch.float32)
    with torch.no_grad():
        hidden = network.hidden(torch.cat((ids.ravel(), torch.zeros(7, dtype=torch.long))), 50)
        assert torch.allclose(network.logits(hidden[:150]).view(3, 50, -1), model(ids).logits, atol=1e-4)


def test_matrices_stay_within_their_limit() -> None:
    matrices = [torch.nn.Parameter(torch.randn(32, 16) * 0.02) for _ in range(3)]
    vector = torch.nn.Parameter(torch.ones(16))
    muon = Muon(matrices, [vector], compiled=False)
    for parameter in (*matrices, vector):
        parameter.grad = torch.randn_like(parameter)
    muon.rate.fill_(1e-2)
    for _ in range(100):
        muon.step()
    assert all(matrix.square().mean().sqrt() <= 0.0601 for matrix in matrices)


@pytest.mark.parametrize("shape", [(2, 8, 24), (2, 24, 8)])
def test_updates_are_orthogonal(shape: tuple[int, ...]) -> None:
    values = torch.linalg.svdvals(orthogonal(torch.randn(*shape)).float())
    assert values.min() > 0.5
    assert values.max() < 1.4


def test_several_right_words_cost_nothing_when_shared_evenly() -> None:
    logits = torch.full((1, 10), -1e4)
    logits[0, [2, 5]] = 0.0
    loss, right = loss_of(logits, torch.tensor([[2, 5, -1]]), torch.tensor([0]))
    assert abs(float(loss)) < 1e-5
    assert bool(right)
    one, _ = loss_of(logits, torch.tensor([[2, -1, -1]]), torch.tensor([0]))
    assert math.isclose(float(one), math.log(2), abs_tol=1e-5)


def test_mastered_tasks_go_on_and_others_do_not() -> None:
    progress = fresh_progress()
    counts = [[[90.0, 100.0] if task == 0 else [10.0, 100.0] for task in range(len(TASKS) + 1)] for _ in LENGTHS]
    since = [10] * len(TASKS)
    before = list(progress.stages)
    weights = advance(progress, counts, since)
    assert progress.stages[0] == before[0] + 1
    assert progress.stages[1:] == before[1:]
    assert weights[0] < weights[1]


def test_the_rate_rises_and_falls() -> None:
    progress = fresh_progress()
    assert rate_at(progress, 1.0, 100.0, 0) < 0.1
    progress.step = 10_000
    assert rate_at(progress, 1.0, 100.0, 10_000) == 1
    progress.seconds = 99.0
    assert rate_at(progress, 1.0, 100.0, 10_000) < 0.05


def test_checkpoints_come_back(tmp_path: Path) -> None:
    model = small_model()
    progress = fresh_progress()
    progress.step, progress.seconds = 7, 1.5
    save_checkpoint(tmp_path, model, progress)
    other = new_model(300, width=128, layers=2, inner=96, kv_heads=1, ids=(0, 1, 4))
    assert load_checkpoint(tmp_path, other) == progress
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    progress.step = 8
    save_checkpoint(tmp_path, model, progress)
    assert [path.name for path in sorted(tmp_path.glob("checkpoint-*"))] == ["checkpoint-8-0.safetensors"]
