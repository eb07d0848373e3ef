"""A suite: a versioned YAML list of tasks with their parameters and groups."""

from __future__ import annotations

import functools
import hashlib
import json
import typing
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sparsetol_suites.errors import LengthError, SuiteError
from sparsetol_suites.item import Item, Score, TokenCounter
from sparsetol_suites.lengths import LARGEST, parse_length, show_length
from sparsetol_suites.located_yaml import Document, load, nearest
from sparsetol_suites.parameters import ParameterError, check
from sparsetol_suites.records.hub import is_hub
from sparsetol_suites.registry import task_class
from sparsetol_suites.task import Draw, Level, Task

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
Length = Annotated[int, BeforeValidator(parse_length)]


class TaskSpec(BaseModel):
    """One entry of a suite; what is not named here are parameters of the task."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    task: str
    group: Name | None = None
    scope: Level | None = None
    dispersion: Level | None = None
    shortest: Length | None = None
    longest: Length | None = None


class SuiteSpec(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    suite: Literal[1]
    name: Name
    version: int = Field(ge=1)
    description: str = ""
    shortest: Length
    longest: Length
    tasks: Annotated[dict[Name, TaskSpec], Field(min_length=1)]


@dataclass(frozen=True)
class SuiteTask:
    """A task as a suite lists it.

    Attributes:
        suite: name and version of the suite.
        name: the suite's name for it.
        kind: name of its class in the registry.
        group: traffic that it stands for.
        scope: how many facts an answer needs.
        dispersion: how hard they are to find.
        task: the parameters, generator and scorer.
        shortest: tokens of the shortest prompts that it is made for.
        longest: tokens of the longest.

    """

    suite: str
    name: str
    kind: str
    group: str
    scope: Level
    dispersion: Level
    task: Task
    shortest: int = 16
    longest: int = LARGEST

    @property
    def chance(self) -> float:
        """Mean score of guessing."""
        return self.task.chance

    @property
    def answer_tokens(self) -> int:
        """Budget of new tokens."""
        return self.task.answer_tokens

    def available(self) -> int | None:
        """Number of different items, None for as many as one likes."""
        return self.task.available()

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the suite's name and version, the task's parameters and the content of its data."""
        # Where data lies does not matter, what it says does.
        own = {name: value for name, value in asdict(self.task).items() if not isinstance(value, Path)}
        digest = hashlib.sha256(
            json.dumps([self.suite, self.name, self.kind, self.group, own], sort_keys=True, default=str).encode()
        )
        for path in self.task.data_files():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        digest.update(self.task.data_digest().encode())
        return digest.hexdigest()

    def generate(self, length: int, counter: TokenCounter, seed: int, index: int) -> Item:
        """The item of that seed and index; raises `LengthError`.

        It is 95 to 100 % of `length` tokens long; prompts of a team's own without filler may be shorter.
        """
        rng = Random(f"{self.suite}/{self.name}/{length}/{seed}/{index}")
        try:
            draft = self.task.draft(length, counter, Draw(rng, seed, index))
        except LengthError as error:
            raise LengthError(f"task {self.name!r} at {show_length(length)}: {error}") from None
        item_id = f"{self.name}/{seed}/{index}"
        cluster = draft.cluster or item_id
        return Item(item_id, draft.message, draft.answers, draft.facts, cluster, draft.scorer, draft.question)

    def score(self, item: Item, reply: str) -> Score:
        """What a reply is worth."""
        return self.task.score(item, reply)


@dataclass(frozen=True)
class Suite:
    """A checked suite.

    Attributes:
        path: the file.
        name: of the suite.
        version: raised whenever an item changes.
        shortest: tokens of the shortest prompts that its tasks are made for.
        longest: tokens of the longest.
        tasks: in the order of the file.

    """

    path: Path
    name: str
    version: int
    shortest: int
    longest: int
    tasks: tuple[SuiteTask, ...]

    @functools.cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups that some task stands for."""
        return tuple(dict.fromkeys(task.group for task in self.tasks))

    def of_group(self, group: str) -> tuple[SuiteTask, ...]:
        """The tasks that stand for a group, in the order of the file; none where there is no such group."""
        return tuple(task for task in self.tasks if task.group == group)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the tasks' fingerprints."""
        return hashlib.sha256("".join(task.fingerprint for task in self.tasks).encode()).hexdigest()


def shipped() -> dict[str, Path]:
    """The suites of this package, by name."""
    folder = Path(str(files("sparsetol_suites")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_suite(named: str, folder: Path) -> Suite:
    """The shipped suite of that name, or the one in the YAML file at that path, from `folder` if it is relative.

    Raises `LocatedError` for what is wrong in the file and `SuiteError` where there is none.
    """
    known = shipped()
    if named in known:
        path = known[named]
    else:
        path = folder / named
        if path.suffix not in {".yaml", ".yml"}:
            raise SuiteError(f"no suite {named!r}; {nearest(named, known)}, or the path of a YAML file")
        if not path.is_file():
            raise SuiteError(f"suite {named!r} is not there (looked for {path})")
    document = load(path)
    spec = document.validate(SuiteSpec)
    if spec.shortest > spec.longest:
        raise document.error(("shortest",), f"shortest: {show_length(spec.shortest)} is longer than longest")
    tasks = tuple(task for name, entry in spec.tasks.items() for task in _tasks(document, spec, name, entry))
    _check_names(document, tasks)
    return Suite(path, spec.name, spec.version, spec.shortest, spec.longest, tasks)


def _tasks(document: Document, spec: SuiteSpec, name: str, entry: TaskSpec) -> tuple[SuiteTask, ...]:
    try:
        kind = task_class(entry.task)
    except SuiteError as error:
        raise document.error(("tasks", name, "task"), str(error)) from None
    lengths = _lengths(document, spec, name, entry)
    given = _resolved(kind, dict(entry.model_extra or {}), document.path.parent)
    try:
        task = kind(**check(kind, entry.task, given))
        parts = task.parts(entry.group, entry.scope, entry.dispersion)
    except ParameterError as error:
        raise document.error(("tasks", name, error.parameter), str(error)) from None
    except SuiteError as error:
        raise document.error(("tasks", name), f"tasks.{name}: {error}") from None
    return tuple(
        SuiteTask(
            suite=f"{spec.name}@{spec.version}",
            name=f"{name}.{part.name}" if part.name else name,
            kind=entry.task,
            group=part.group,
            scope=part.scope,
            dispersion=part.dispersion,
            task=part.task,
            shortest=lengths[0],
            longest=lengths[1],
        )
        for part in parts
    )


def _lengths(document: Document, spec: SuiteSpec, name: str, entry: TaskSpec) -> tuple[int, int]:
    """The lengths that a task is made for: its own, within the suite's."""
    shortest, longest = entry.shortest or spec.shortest, entry.longest or spec.longest
    for key, value in (("shortest", shortest), ("longest", longest)):
        if not spec.shortest <= value <= spec.longest:
            raise document.error(
                ("tasks", name, key),
                f"tasks.{name}.{key}: {show_length(value)} is outside the suite's {show_length(spec.shortest)} to "
                f"{show_length(spec.longest)}",
            )
    if shortest > longest:
        raise document.error(("tasks", name), f"tasks.{name}: {show_length(shortest)} is longer than longest")
    return shortest, longest


def _resolved(kind: type[Task], given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The parameters with names of files as paths from the suite's folder."""
    hints = typing.get_type_hints(kind)
    for parameter, value in given.items():
        hint = hints.get(parameter)
        takes_path = hint is Path or Path in typing.get_args(hint)
        if takes_path and isinstance(value, str) and not is_hub(value):
            given[parameter] = folder / value
    return given


def _check_names(document: Document, tasks: tuple[SuiteTask, ...]) -> None:
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise document.error(("tasks", name), f"tasks: two tasks are called {name!r} once split by group")
