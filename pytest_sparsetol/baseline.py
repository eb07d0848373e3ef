"""The store of dense outcomes: found by fingerprint, paired by item, never written without being asked.

One file holds one task at one length for one fingerprint: a header line, then one JSON object a line for each item,
sorted by item id. There is no text in it, so that git can keep it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from sparsetol_suites.lengths import show_length

from pytest_sparsetol.errors import BaselineError, MissingInputError
from pytest_sparsetol.noise import Noise

FORMAT = 1
RECORD_OPTION = "--sparsetol-record"


@dataclass(frozen=True)
class Row:
    """The dense outcome of one item.

    Attributes:
        item: id of the item.
        prompt: hash of the prompt's token ids.
        score: in [0, 1].
        missing: whether the reply had no parsable answer.
        finish: whether the text ended or the budget of new tokens did.
        prompt_tokens: length of the prompt.
        answer_tokens: length of the reply.

    """

    item: str
    prompt: str
    score: float
    missing: bool
    finish: Literal["stop", "length"]
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True)
class Fingerprint:
    """Everything that decides a dense outcome; device, versions and batch size are recorded beside it, not in it.

    Attributes:
        model: SHA-256 of the weights.
        prompt: SHA-256 of tokenizer, chat template and its arguments.
        suite: hash of the suite's version and the task's parameters and data.
        task: name of the suite's task.
        length: prompt tokens.
        dtype: resolved, such as `float32`.
        answer_tokens: budget of new tokens.
        end_of_text: ids that end an answer.

    """

    model: str
    prompt: str
    suite: str
    task: str
    length: int
    dtype: str
    answer_tokens: int
    end_of_text: tuple[int, ...]

    def digest(self) -> str:
        """First 12 hex digits of the SHA-256 of all of it: part of the file's name."""
        return hashlib.sha256(_line(dataclasses.asdict(self)).encode()).hexdigest()[:12]

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Names of the parts in which a stored fingerprint differs, with short values."""
        return [
            f"{name} ({_short(other.get(name))} stored, {_short(value)} now)"
            for name, value in json.loads(_line(dataclasses.asdict(self))).items()
            if other.get(name) != value
        ]


@dataclass(frozen=True)
class BaselineStore:
    """A folder of baselines.

    Attributes:
        folder: where the files lie; made when something is first recorded.
        suite_name: the suite's name, a folder inside.

    """

    folder: Path
    suite_name: str

    def path(self, fingerprint: Fingerprint) -> Path:
        """File of a fingerprint."""
        name = f"{fingerprint.task}-{show_length(fingerprint.length)}-{fingerprint.digest()}.jsonl"
        return self.folder / self.suite_name / name

    def read(self, fingerprint: Fingerprint) -> dict[str, Row]:
        """Stored rows by item id; none where nothing is stored.

        Raises `BaselineError` where the file is damaged or belongs to another fingerprint.
        """
        path = self.path(fingerprint)
        return _parse(path, fingerprint) if path.exists() else {}

    def stored(self, task: str, length: int, suite: str) -> list[tuple[dict[str, Any], list[Row]]]:
        """Header and rows of all that is stored of a task at a length, whatever model it belongs to: for planning.

        Args:
            task: name of the suite's task.
            length: prompt tokens.
            suite: the task's fingerprint; what is stored of another version is left out.

        Raises:
            BaselineError: a file that cannot be read.

        """
        found = []
        for path in sorted((self.folder / self.suite_name).glob(f"{task}-{show_length(length)}-*.jsonl")):
            header = _header(path)
            if header["fingerprint"]["suite"] == suite:
                found.append((header, _rows(path, header)))
        return found

    def explain_missing(
        self, fingerprint: Fingerprint, missing: int, wanted: int, *, shared: bool = False
    ) -> MissingInputError | BaselineError:
        """The error for items without a stored outcome: what is there instead, and how to record.

        Args:
            fingerprint: of what was looked for.
            missing: items without a stored outcome.
            wanted: items looked for.
            shared: whether the store holds several models, so that another one's outcomes are not stale ones.

        """
        path = self.path(fingerprint)
        what = f"{fingerprint.task}[{show_length(fingerprint.length)}]"
        if path.exists():
            return MissingInputError(
                f"the dense baseline of {what} lacks {missing} of {wanted} items ({path.name}); "
                f"record it with {RECORD_OPTION}"
            )
        for other in sorted(path.parent.glob(f"{fingerprint.task}-{show_length(fingerprint.length)}-*.jsonl")):
            stored = _header(other)["fingerprint"]
            if shared and stored.get("model") != fingerprint.model:
                continue
            changed = fingerprint.differences(stored)
            return BaselineError(
                f"the dense baseline of {what} is stale ({other.name}): it differs in {', '.join(changed)}; "
                f"if that change is meant, record it with {RECORD_OPTION}"
            )
        of_it = " of this model" if shared else ""
        return MissingInputError(
            f"no dense baseline of {what}{of_it} in {self.folder.name}/; record it with {RECORD_OPTION}"
        )

    def recorded(self, fingerprint: Fingerprint) -> dict[str, Any]:
        """How the file was recorded: device, versions, batch size; empty where nothing is stored."""
        path = self.path(fingerprint)
        found: dict[str, Any] = _header(path)["recorded"] if path.exists() else {}
        return found

    def noise(self, fingerprint: Fingerprint) -> Noise | None:
        """How much dense differed from itself; None where it was recorded without."""
        path = self.path(fingerprint)
        found = _header(path).get("noise") if path.exists() else None
        return None if found is None else Noise(found)

    def write(
        self,
        fingerprint: Fingerprint,
        rows: Mapping[str, Row],
        recorded: Mapping[str, Any],
        noise: Noise | None = None,
    ) -> None:
        """Replace the file by `rows` in one step; `recorded` tells device, versions and batch size."""
        path = self.path(fingerprint)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [_line(dataclasses.asdict(rows[item])) for item in sorted(rows)]
        header = {
            "sparsetol_baseline": FORMAT,
            "fingerprint": dataclasses.asdict(fingerprint),
            "recorded": dict(recorded),
            **({} if noise is None else {"noise": dict(noise.differences)}),
            "rows": len(lines),
            "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        }
        write_atomically(path, "\n".join([_line(header), *lines]) + "\n")

    @contextmanager
    def locked(self, fingerprint: Fingerprint) -> Iterator[None]:
        """Hold a file against other processes of this host while its missing items are computed and written."""
        key = hashlib.sha256(str(self.path(fingerprint).resolve()).encode()).hexdigest()[:24]
        with FileLock(Path(tempfile.gettempdir()) / f"sparsetol-{key}.lock"):
            yield


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader never sees half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _header(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            header = json.loads(file.readline())
    except (OSError, ValueError) as error:
        raise BaselineError(f"baseline {path} cannot be read: {error}") from None
    if not isinstance(header, dict) or header.get("sparsetol_baseline") != FORMAT:
        raise BaselineError(f"baseline {path} is not in format {FORMAT} of this version")
    return header


def _parse(path: Path, fingerprint: Fingerprint) -> dict[str, Row]:
    header = _header(path)
    changed = fingerprint.differences(header["fingerprint"])
    if changed:
        raise BaselineError(f"baseline {path} is not what its name says: it differs in {', '.join(changed)}")
    return {row.item: row for row in _rows(path, header)}


def _rows(path: Path, header: Mapping[str, Any]) -> list[Row]:
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    if hashlib.sha256("\n".join(lines).encode()).hexdigest() != header["sha256"]:
        raise BaselineError(f"baseline {path} was changed after it was recorded: its checksum does not fit its rows")
    return [Row(**json.loads(line)) for line in lines]


def _line(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 20 else text[:12]
