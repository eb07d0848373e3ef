"""Batches of examples as arrays, made by worker processes while the model trains."""

from __future__ import annotations

import multiprocessing as mp
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from baselines.reference.examples import LONGEST, SHORTEST, TASKS, LengthError, Turn, example
from baselines.reference.tokenizer import ASSISTANT, BEGIN, END, PAD, USER

LENGTHS = (64, 128, 192, 256, 384, 640, 896, 1152, 1664, 2176)
"""Tokens of the sequences of a batch, prompt and answers together."""

STEP_TOKENS = 12 * LENGTHS[-1]
CHOICES = 5
"""Most words that are right at one place."""

_PIECES = re.compile(r" ?(?:[A-Za-z]+|\d+|___|[^\w\s])|\n+")


class Encoder:
    """Encodes the suite's text as the tokenizer would, several times faster.

    Words glued to what stands before them, which the suite has none of, are the only difference.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, int] = {}
        known = tokenizer.get_vocab()
        self.pad, self.begin, self.user, self.assistant, self.end = (
            known[token] for token in (PAD, BEGIN, USER, ASSISTANT, END)
        )

    def encode(self, text: str) -> list[int]:
        """Ids of a text of the suite."""
        known = self._known
        ids = []
        for piece in _PIECES.findall(text):
            found = known.get(piece)
            if found is None:
                found = known[piece] = self._one(piece)
            ids.append(found)
        return ids

    def _one(self, piece: str) -> int:
        token = piece.replace(" ", "\u2581")
        if piece[0].isalnum():
            token = f"\u2581{piece}"
        found = self._tokenizer.get_vocab().get(token)
        if found is None:
            raise ValueError(f"{piece!r} is not one token")
        return found


@dataclass
class Encoded:
    """One encoded example: ids, and for each predicted place the ids that are right."""

    ids: list[int]
    places: list[int]
    targets: list[list[int]]
    turns: list[int]


def encode_example(encoder: Encoder, turns: Sequence[Turn]) -> Encoded:
    """All turns in the form of the chat template; the end of each reply is a target too."""
    made = Encoded([encoder.begin], [], [], [])
    for number, turn in enumerate(turns):
        made.ids += [encoder.user, *encoder.encode(turn.message), encoder.assistant]
        reply = [*encoder.encode(turn.reply), encoder.end]
        left = {encoder.encode(word)[0] for word in turn.free}
        for token in reply:
            made.places.append(len(made.ids) - 1)
            made.targets.append(sorted(left) if token in left else [token])
            made.turns.append(number)
            left.discard(token)
            made.ids.append(token)
    return made


@dataclass(frozen=True)
class Batch:
    """Sequences of one length, padded on the right.

    Attributes:
        length: tokens of each sequence.
        ids: `[sequences, length]`.
        places: of the tokens that predict, in the flattened ids.
        targets: `[places, CHOICES]`, the ids that are right next, -1 for none.
        tasks: number of the task, by place.
        turns: number of the turn within the batch, by place.
        turn_tasks: number of the task, by turn.

    """

    length: int
    ids: NDArray[np.int32]
    places: NDArray[np.int32]
    targets: NDArray[np.int16]
    tasks: NDArray[np.int16]
    turns: NDArray[np.int32]
    turn_tasks: NDArray[np.int16]


def make_batch(encoder: Encoder, length: int, tokens: int, weights: Sequence[float], rng: Random) -> Batch:
    """As many sequences of `length` as make up `tokens`; tasks are drawn by `weights`."""
    count = tokens // length
    ids = np.full((count, length), encoder.pad, np.int32)
    places: list[int] = []
    targets: list[list[int]] = []
    tasks: list[int] = []
    turns: list[int] = []
    turn_tasks: list[int] = []
    for row, task in enumerate(rng.choices(range(len(TASKS)), weights, k=count)):
        made = encode_example(encoder, example(TASKS[task], length, rng))
        if len(made.ids) > length:
            raise LengthError(f"{TASKS[task]}: {len(made.ids)} tokens do not fit into {length}")
        ids[row, : len(made.ids)] = made.ids
        places += [place + row * length for place in made.places]
        targets += [[*right, *[-1] * (CHOICES - len(right))] for right in made.targets]
        turns += [turn + len(turn_tasks) for turn in made.turns]
        tasks += [task] * len(made.places)
        turn_tasks += [task] * (made.turns[-1] + 1)
    return Batch(
        length,
        ids,
        np.array(places, np.int32),
        np.array(targets, np.int16),
        np.array(tasks, np.int16),
        np.array(turns, np.int32),
        np.array(turn_tasks, np.int16),
    )


def first_stage(task: str) -> int:
    """Number of the shortest of `LENGTHS` that a task is trained at."""
    return next(stage for stage, length in enumerate(LENGTHS) if length >= SHORTEST[task])


def last_stage(task: str) -> int:
    """Number of the longest of `LENGTHS` that a task is trained at."""
    return LENGTHS.index(LONGEST.get(task, LENGTHS[-1]))


class Curriculum:
    """What is to be trained at which length, shared with the workers: a stage and a weight for each task."""

    def __init__(self) -> None:
        context = mp.get_context("spawn")
        self.stages: SynchronizedArray[int] = context.Array("i", [first_stage(task) for task in TASKS])
        self.weights: SynchronizedArray[float] = context.Array("d", [1.0] * len(TASKS))
        self.mixed: Synchronized[float] = context.Value("d", 0.35)

    def choose(self, rng: Random) -> tuple[int, list[float]]:
        """A length, and the tasks' weights at it: a task's longest length so far, or one that it has mastered."""
        stages, weights = self.stages[:], self.weights[:]
        leader = rng.choices(range(len(TASKS)), weights)[0]
        stage = stages[leader]
        lowest = first_stage(TASKS[leader])
        if stage > lowest and rng.random() < self.mixed.value:
            stage = rng.randint(max(lowest, stage - 5), stage - 1)
        length = LENGTHS[stage]
        eligible = [
            weight if first_stage(task) <= stage <= reached else 0.0
            for task, weight, reached in zip(TASKS, weights, stages, strict=True)
        ]
        return length, eligible


def work(tokenizer: PreTrainedTokenizerFast, curriculum: Curriculum, queue: Any, seed: str, tokens: int) -> None:
    """Put batches into the queue until the process is ended."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    encoder = Encoder(tokenizer)
    rng = Random(seed)
    while True:
        length, weights = curriculum.choose(rng)
        queue.put(make_batch(encoder, length, tokens, weights, rng))
