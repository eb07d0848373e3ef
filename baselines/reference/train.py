"""Train the reference model: from nothing to a plain transformers directory.

    python -m baselines.reference.train --out build/reference --budget 900

on one GPU; `--tiny` goes through the whole recipe on a CPU in a minute. Interrupted runs go on from the last checkpoint
in `--out` when the same command is given again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from baselines.reference.batches import (
    CHOICES,
    LENGTHS,
    STEP_TOKENS,
    Batch,
    Curriculum,
    Encoder,
    first_stage,
    last_stage,
    work,
)
from baselines.reference.examples import LONGEST, TASKS
from baselines.reference.muon import Muon
from baselines.reference.network import Network, new_model
from baselines.reference.tokenizer import build_tokenizer, suite_words

WARM_UP = 200
DECAY = 0.4
"""Share of the budget, at its end, over which the learning rate falls."""

WINDOW = 25
"""Steps between looks at the running figures."""

PATIENCE = 4
"""Windows that a task stays at a length at least."""

MASTERED = 0.7
"""Share of a task's replies that are wholly right before it goes on to the next length."""

SHARD = 12 * 1024 * 1024
"""Bytes of a checkpoint's files, about: some channels move no larger ones."""


@dataclass
class Progress:
    """How far a run is; part of its checkpoint.

    Attributes:
        step: updates done.
        seconds: spent on them, in all runs so far.
        tokens: seen.
        stages: number of the longest length that each task is trained at.
        accuracy: of each task at each length, smoothed; None where there was nothing yet.
        log: what was reported, line by line.

    """

    step: int
    seconds: float
    tokens: int
    stages: list[int]
    accuracy: list[list[float | None]]
    log: list[dict[str, Any]]


PLACES = 3
"""Tokens of a batch for one place at which something is to be predicted."""

TURNS = 4096
"""Most replies of a batch."""


class Step:
    """One update: its inputs lie at fixed places, so that on CUDA it is recorded once a length and then replayed.

    Launching its thousand kernels one by one takes longer than running them.
    """

    def __init__(self, model: Any, network: Network, muon: Muon, tokens: int, *, graphed: bool) -> None:
        device = model.device
        self._network = network
        self._muon = muon
        self._parameters = list(model.parameters())
        self._cuda = device.type == "cuda"
        self._graphed = self._cuda and graphed
        places = tokens // PLACES
        self.ids = torch.zeros(tokens, dtype=torch.long, device=device)
        self.places = torch.zeros(places, dtype=torch.long, device=device)
        self.targets = torch.full((places, CHOICES), -1, dtype=torch.long, device=device)
        self.tasks = torch.full((places,), len(TASKS), dtype=torch.long, device=device)
        self.turns = torch.full((places,), TURNS, dtype=torch.long, device=device)
        self.turn_tasks = torch.full((TURNS + 1,), len(TASKS), dtype=torch.long, device=device)
        self._counts = torch.zeros(len(LENGTHS), len(TASKS) + 1, 2, device=device)
        self._loss = torch.zeros(2, device=device)
        self._one = torch.ones((), device=device)
        self._graphs: dict[int, Any] = {}
        self._update: Any = None
        for parameter in self._parameters:
            parameter.grad = torch.zeros_like(parameter)

    def load(self, batch: Batch) -> None:
        """Put a batch where the step reads it."""
        for buffer, part, filler in (
            (self.ids, batch.ids.ravel(), 0),
            (self.places, batch.places, 0),
            (self.targets, batch.targets, -1),
            (self.tasks, batch.tasks, len(TASKS)),
            (self.turns, batch.turns, TURNS),
            (self.turn_tasks, batch.turn_tasks, len(TASKS)),
        ):
            whole = torch.full(buffer.shape, filler, dtype=torch.long, pin_memory=self._cuda)
            count = min(len(part), len(whole))
            whole[:count] = torch.from_numpy(part[:count])
            buffer.copy_(whole, non_blocking=True)

    def run(self, batch: Batch, rate: float) -> None:
        """Update the model on a batch."""
        self.load(batch)
        self._muon.rate.fill_(rate)
        stage = LENGTHS.index(batch.length)
        if not self._graphed:
            self._gradients(stage)
            self._muon.step()
            return
        if stage not in self._graphs:
            self._graphs[stage] = self._recorded(lambda: self._gradients(stage))
        self._graphs[stage].replay()
        if self._update is None:
            # Run once before, as recording may not compile; at a rate of zero it changes nothing but momenta.
            self._muon.rate.zero_()
            self._update = self._recorded(self._muon.step)
            self._muon.rate.fill_(rate)
        self._update.replay()

    def _recorded(self, call: Callable[[], None]) -> Any:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            call()
            call()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            call()
        return graph

    def _gradients(self, stage: int) -> None:
        torch._foreach_zero_([parameter.grad for parameter in self._parameters])
        hidden = self._network.hidden(self.ids, LENGTHS[stage])
        logits = self._network.logits(hidden.index_select(0, self.places))
        loss, right = loss_of(logits, self.targets, self.tasks)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        whole = torch.ones(TURNS + 1, device=right.device)
        whole.scatter_reduce_(0, self.turns, right.float(), "amin")
        self._counts[stage, :, 0].index_add_(0, self.turn_tasks, whole)
        self._counts[stage, :, 1].index_add_(0, self.turn_tasks, torch.ones_like(whole))
        self._loss += torch.stack((loss.detach(), self._one))

    def finish(self) -> None:
        """Wait until all is done."""
        if self._cuda:
            torch.cuda.synchronize()

    def read(self) -> tuple[list[list[list[float]]], float]:
        """Wholly right replies and all replies by length and task, and the mean loss; counting begins anew."""
        counts: list[list[list[float]]] = self._counts.tolist()
        total, steps = self._loss.tolist()
        self._counts.zero_()
        self._loss.zero_()
        return counts, total / max(1, steps)


def loss_of(logits: Tensor, targets: Tensor, tasks: Tensor) -> tuple[Tensor, Tensor]:
    """The loss, and which places are right.

    Where several ids are right each should get the same probability; what that costs at least is taken off. Tasks with
    few tokens count more than their share of tokens: each by the square root. Places of no task do not count.
    """
    right = targets >= 0
    many = right.sum(1).clamp(min=1)
    chosen = logits.log_softmax(-1).gather(1, targets.clamp(min=0))
    loss = -(chosen * right).sum(1) / many - many.log()
    sizes = (tasks[:, None] == torch.arange(len(TASKS) + 1, device=tasks.device)).sum(0)
    weights = sizes.clamp(min=1).float().rsqrt()[tasks] * (tasks < len(TASKS))
    best = logits.detach().argmax(-1, keepdim=True)
    return (loss * weights).sum() / weights.sum(), ((targets == best) & right).any(1)


def advance(progress: Progress, counts: list[list[list[float]]], since: list[int]) -> list[float]:
    """Smooth the accuracies, move tasks to longer sequences where they are mastered, and give the tasks' weights."""
    weights = []
    for task in range(len(TASKS)):
        for stage in range(len(LENGTHS)):
            right, seen = counts[stage][task]
            if seen:
                old = progress.accuracy[task][stage]
                # Few replies say little.
                part = min(0.5, seen / 100)
                progress.accuracy[task][stage] = right / seen if old is None else old + part * (right / seen - old)
        now = progress.accuracy[task][progress.stages[task]]
        since[task] += 1
        mastered = now is not None and now > MASTERED and since[task] >= PATIENCE
        ends = progress.stages[task] == last_stage(TASKS[task])
        if mastered and not ends:
            progress.stages[task] += 1
            since[task] = 0
        done = mastered and ends and TASKS[task] in LONGEST
        weights.append(0.0 if done else 0.15 + 1 - (now or 0.0))
    return weights


def rate_at(progress: Progress, base: float, budget: float, since_start: int) -> float:
    """The learning rate: warmed up at the start, and shortly after each resumption, as momenta start anew."""
    warm = min(1.0, (progress.step + 1) / WARM_UP, (since_start + 1) / 50)
    left = 1 - progress.seconds / budget
    return base * warm * min(1.0, max(0.01, left / DECAY))


def save_checkpoint(folder: Path, model: Any, progress: Progress) -> None:
    """Weights in float32, in several files, then the state that names them; the old files stay until it is written."""
    folder.mkdir(parents=True, exist_ok=True)
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, parameter in model.named_parameters():
        if size > SHARD:
            shards.append({})
            size = 0
        shards[-1][name] = parameter.detach().cpu().contiguous()
        size += parameter.numel() * 4
    names = [f"checkpoint-{progress.step}-{number}.safetensors" for number in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, folder / name)
    state = {"files": names, **progress.__dict__}
    (folder / "state.json.new").write_text(json.dumps(state), encoding="utf-8")
    (folder / "state.json.new").replace(folder / "state.json")
    for old in folder.glob("checkpoint-*.safetensors"):
        if old.name not in names:
            old.unlink()


def load_checkpoint(folder: Path, model: Any) -> Progress | None:
    """What a run left; None where there is nothing."""
    path = folder / "state.json"
    if not path.exists():
        return None
    state = json.loads(path.read_text(encoding="utf-8"))
    weights: dict[str, Tensor] = {}
    for name in state.pop("files"):
        weights.update(load_file(folder / name))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
    return Progress(**state)


def export(model: Any, tokenizer: Any, folder: Path) -> None:
    """The model as others load it: weights in bfloat16 and the tokenizer."""
    model.to(torch.bfloat16).save_pretrained(folder)
    model.float()
    tokenizer.save_pretrained(folder)


def main() -> None:
    """Train, then write the model."""
    arguments = _arguments()
    torch.manual_seed(arguments.seed)
    torch.set_float32_matmul_precision("high")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = build_tokenizer(suite_words())
    encoder = Encoder(tokenizer)
    model = new_model(
        len(tokenizer),
        width=arguments.width,
        layers=arguments.layers,
        inner=arguments.inner,
        kv_heads=arguments.kv_heads,
        ids=(encoder.pad, encoder.begin, encoder.end),
    ).to(device)
    progress = load_checkpoint(arguments.out, model) or Progress(
        0, 0.0, 0, [first_stage(task) for task in TASKS], [[None] * len(LENGTHS) for _ in TASKS], []
    )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{parameters / 1e6:.2f}M parameters, {len(tokenizer)} tokens, from step {progress.step}", flush=True)  # noqa: T201  # progress
    train(arguments, model, tokenizer, progress, device)
    save_checkpoint(arguments.out, model, progress)
    export(model, tokenizer, arguments.out / "model")
    (arguments.out / "log.json").write_text(json.dumps(progress.log), encoding="utf-8")


def train(arguments: argparse.Namespace, model: Any, tokenizer: Any, progress: Progress, device: torch.device) -> None:
    """Updates until the budget, or the time of this run, is spent."""
    cuda = device.type == "cuda"
    tokens = arguments.step_tokens
    network = Network(model, compiled=cuda, dtype=torch.bfloat16 if cuda else torch.float32)
    inner = {name for name, parameter in model.named_parameters() if "layers" in name and parameter.ndim == 2}
    if arguments.adam:
        inner.clear()
    matrices = [parameter for name, parameter in model.named_parameters() if name in inner]
    others = [parameter for name, parameter in model.named_parameters() if name not in inner]
    muon = Muon(matrices, others, compiled=cuda)
    step = Step(model, network, muon, tokens, graphed=not arguments.eager)
    curriculum = Curriculum()
    curriculum.stages[:] = progress.stages
    context = mp.get_context("spawn")
    queue: Any = context.Queue(4 * arguments.workers)
    seed = f"reference/{arguments.seed}/{progress.step}"
    workers = [
        context.Process(target=work, args=(tokenizer, curriculum, queue, f"{seed}/{number}", tokens), daemon=True)
        for number in range(arguments.workers)
    ]
    for worker in workers:
        worker.start()
    since = [0] * len(TASKS)
    begun = start = saved = time.monotonic()
    first_step, first_seconds = progress.step, progress.seconds
    waited = 0.0
    while progress.seconds < arguments.budget and time.monotonic() - begun < arguments.stop_after:
        asked = time.monotonic()
        batch: Batch = queue.get()
        waited += time.monotonic() - asked
        step.run(batch, rate_at(progress, arguments.rate, arguments.budget, progress.step - first_step))
        progress.step += 1
        progress.tokens += batch.ids.size
        if progress.step == first_step + 3:
            # Compiling is not training.
            step.finish()
            start = time.monotonic()
        progress.seconds = first_seconds + time.monotonic() - start
        if progress.step % WINDOW == 0:
            counts, mean = step.read()
            curriculum.weights[:] = advance(progress, counts, since)
            curriculum.stages[:] = progress.stages
            if progress.stages == [last_stage(task) for task in TASKS]:
                curriculum.mixed.value = 0.75
            if progress.step % (WINDOW * arguments.report) == 0:
                _report(progress, mean, waited)
                waited = 0.0
        if time.monotonic() - saved > arguments.save_every:
            save_checkpoint(arguments.out, model, progress)
            saved = time.monotonic()
    for worker in workers:
        worker.terminate()


def _report(progress: Progress, loss: float, waited: float) -> None:
    now = {
        task: (LENGTHS[stage], round(accuracies[stage] or 0.0, 3))
        for task, stage, accuracies in zip(TASKS, progress.stages, progress.accuracy, strict=True)
    }
    line = {
        "step": progress.step,
        "seconds": round(progress.seconds, 1),
        "waited": round(waited, 1),
        "loss": round(loss, 4),
        "tasks": now,
    }
    progress.log.append(line)
    shown = " ".join(f"{task}@{length}:{right:.2f}" for task, (length, right) in now.items())
    print(f"{line['step']} {line['seconds']}s wait {line['waited']} loss {line['loss']} {shown}", flush=True)  # noqa: T201  # progress


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the reference model.")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint, log and model")
    parser.add_argument("--budget", type=float, default=900, help="seconds of training in all runs together")
    parser.add_argument("--stop-after", type=float, default=float("inf"), help="seconds of this run")
    parser.add_argument("--save-every", type=float, default=120, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--rate", type=float, default=1.2e-3, help="largest learning rate")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    parser.add_argument("--step-tokens", type=int, default=STEP_TOKENS, help="tokens of an update")
    parser.add_argument("--report", type=int, default=20, help="windows of 25 steps between lines of the log")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--inner", type=int, default=832, help="width of the layers' inner part")
    parser.add_argument("--kv-heads", type=int, default=3)
    parser.add_argument("--adam", action="store_true", help="AdamW for all parameters, to compare")
    parser.add_argument("--eager", action="store_true", help="no CUDA graphs")
    parser.add_argument("--tiny", action="store_true", help="a few small updates, to see that everything works")
    arguments = parser.parse_args()
    if arguments.tiny:
        arguments.width, arguments.layers, arguments.inner, arguments.kv_heads = 128, 2, 128, 1
        arguments.step_tokens, arguments.workers, arguments.report = LENGTHS[-1], 1, 1
    return arguments


if __name__ == "__main__":
    main()
