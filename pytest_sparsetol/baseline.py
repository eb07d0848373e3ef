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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sparsetol_suites.lengths import show_length

from pytest_sparsetol.errors import BaselineError, DamagedBaselineError, MissingInputError
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

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    item: str
    prompt: str
    score: Annotated[float, Field(ge=0, le=1)]
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


class Recorded(BaseModel):
    """How a file was recorded: device, versions and batch size beside what is named here.

    Attributes:
        seconds_per_item: of recording.

    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    seconds_per_item: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


_Differences = Annotated[list[Annotated[float, Field(ge=-1, le=1)]], Field(min_length=1)]


class Header(BaseModel):
    """The first line of a file.

    Attributes:
        sparsetol_baseline: version of the format.
        fingerprint: parts of a `Fingerprint`.
        noise: the differences of a `Noise`, None where the file was recorded without.
        sha256: of the lines below.

    """

    model_config = ConfigDict(strict=True, frozen=True)

    sparsetol_baseline: Literal[1]
    fingerprint: dict[str, Any]
    recorded: Recorded
    noise: Annotated[dict[str, _Differences], Field(min_length=1)] | None = None
    sha256: str


_ROW = TypeAdapter(Row)


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

        Raises:
            DamagedBaselineError: the file is not as it was written, or belongs to another fingerprint.
            BaselineError: it cannot be read.

        """
        path = self.path(fingerprint)
        found = _file(path)
        if found is None:
            return {}
        changed = fingerprint.differences(found[0].fingerprint)
        if changed:
            raise _damaged(path, f"is not what its name says: it differs in {', '.join(changed)}")
        return _rows(path, *found)

    def stored(self, task: str, length: int, suite: str) -> list[tuple[Header, list[Row]]]:
        """Header and rows of all that is stored of a task at a length, whatever model it belongs to: for planning.

        Args:
            task: name of the suite's task.
            length: prompt tokens.
            suite: the task's fingerprint; what is stored of another version is left out.

        Raises:
            BaselineError: a file that cannot be read.

        """
        found = []
        for path in self._files(task, length):
            file = _file(path)
            if file is not None and file[0].fingerprint.get("suite") == suite:
                found.append((file[0], list(_rows(path, *file).values())))
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
        for other in self._files(fingerprint.task, fingerprint.length):
            found = _file(other)
            if found is None or (shared and found[0].fingerprint.get("model") != fingerprint.model):
                continue
            changed = fingerprint.differences(found[0].fingerprint)
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
        found = _file(self.path(fingerprint))
        return {} if found is None else found[0].recorded.model_dump(exclude_unset=True)

    def noise(self, fingerprint: Fingerprint) -> Noise | None:
        """How much dense differed from itself; None where it was recorded without."""
        found = _file(self.path(fingerprint))
        return None if found is None or found[0].noise is None else Noise(found[0].noise)

    def _files(self, task: str, length: int) -> list[Path]:
        """All that is stored of a task at a length; the digest's places keep out tasks whose names begin alike."""
        return sorted((self.folder / self.suite_name).glob(f"{task}-{show_length(length)}-{'[0-9a-f]' * 12}.jsonl"))

    def check_writable(self, fingerprint: Fingerprint) -> None:
        """Raise `BaselineError` where nothing can be written: asked before hours are spent on what is to be."""
        path = self.path(fingerprint)
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_temporary(path)):
                pass

    def write(
        self,
        fingerprint: Fingerprint,
        rows: Mapping[str, Row],
        recorded: Mapping[str, Any],
        noise: Noise | None = None,
    ) -> None:
        """Replace the file by `rows` in one step; `recorded` tells device, versions and batch size.

        Raises `BaselineError` where it cannot be written.
        """
        path = self.path(fingerprint)
        lines = [_line(dataclasses.asdict(rows[item])) for item in sorted(rows)]
        header = {
            "sparsetol_baseline": FORMAT,
            "fingerprint": dataclasses.asdict(fingerprint),
            "recorded": dict(recorded),
            **({} if noise is None else {"noise": dict(noise.differences)}),
            "rows": len(lines),
            "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        }
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, "\n".join([_line(header), *lines]) + "\n")

    @contextmanager
    def locked(self, fingerprint: Fingerprint) -> Iterator[None]:
        """Hold a file against other processes of this host while its missing items are computed and written."""
        with ExitStack() as held:
            try:
                held.enter_context(FileLock(self.beside(fingerprint, "lock")))
            except OSError as error:
                raise BaselineError(
                    f"baseline {self.path(fingerprint)} cannot be held against other processes: {error}"
                ) from None
            yield

    def beside(self, fingerprint: Fingerprint, suffix: str) -> Path:
        """A file in this host's temporary folder that goes with a file of the store."""
        key = hashlib.sha256(str(self.path(fingerprint).resolve()).encode()).hexdigest()[:24]
        return Path(tempfile.gettempdir()) / f"sparsetol-{key}.{suffix}"


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader never sees half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_temporary(path))
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


def _temporary(path: Path) -> str:
    """How the names begin of what is to become a file."""
    return f".{path.name}."


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BaselineError(
            f"baseline {path} cannot be written: {error.strerror or error}; mend that, or name another folder as "
            f"'baselines' in the contract"
        ) from None


def _file(path: Path) -> tuple[Header, list[str]] | None:
    """Header and lines of rows, read at once, as another process may replace the file; None where it is not there."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BaselineError(f"baseline {path} cannot be read: {error.strerror or error}") from None
    try:
        first, *lines = raw.decode("utf-8").splitlines() or [""]
        return Header.model_validate_json(first), lines
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _damaged(path, f"is damaged: byte {raw[error.start]:#04x} is not UTF-8", line) from None
    except ValidationError as error:
        if error.errors()[0]["loc"] == ("sparsetol_baseline",):
            raise _damaged(path, f"is not in format {FORMAT} of this version") from None
        raise _damaged(path, f"is damaged: {_wrong(error)}", 1) from None


def _rows(path: Path, header: Header, lines: Sequence[str]) -> dict[str, Row]:
    if hashlib.sha256("\n".join(lines).encode()).hexdigest() != header.sha256:
        raise _damaged(path, "was changed after it was recorded: its checksum does not fit its rows")
    rows: dict[str, Row] = {}
    for number, line in enumerate(lines, start=2):
        try:
            row = _ROW.validate_json(line)
        except ValidationError as error:
            raise _damaged(path, f"is damaged: {_wrong(error)}", number) from None
        if row.item in rows:
            raise _damaged(path, f"is damaged: item {row.item} stands there twice", number)
        rows[row.item] = row
    return rows


def _damaged(path: Path, what: str, line: int | None = None) -> DamagedBaselineError:
    place = "" if line is None else f", line {line},"
    remedy = f"restore it from version control, or delete it and record it with {RECORD_OPTION}"
    return DamagedBaselineError(f"baseline {path}{place} {what}; {remedy}")


def _wrong(error: ValidationError) -> str:
    """The first thing that is wrong with a line."""
    first = error.errors()[0]
    return ": ".join([*([".".join(map(str, first["loc"]))] if first["loc"] else []), first["msg"]])


def _line(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 20 else text[:12]
