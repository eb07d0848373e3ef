"""The contract: what a team plans to deploy and what its release must hold, as written in YAML.

`load_contract` reads and checks a file and everything that it names that can be checked without a model: suite,
groups, methods, reachable sparsities, context length, and whether the items can decide anything at all.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from sparsetol_suites.lengths import parse_length, show_length
from sparsetol_suites.located_yaml import Document, Loc, LocatedError, load, nearest
from sparsetol_suites.parameters import ParameterError, check

from pytest_sparsetol.errors import CertificateError, MethodError, SparsetolError
from pytest_sparsetol.methods.base import PHASES, KvMethod, Method, Phase
from pytest_sparsetol.methods.registry import method_class, method_names
from pytest_sparsetol.model_files import ModelFiles, context_length, locate

if TYPE_CHECKING:
    from sparsetol_suites.suite import Suite

    from pytest_sparsetol.sweep.certificate import Certificate

LEVELS = (0.5, 0.67, 0.8, 0.9, 0.933, 0.95)
"""Sparsities that a sweep tries unless the contract names others; 0.933 is a budget of one fifteenth."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"
"""Names of deployments, groups and profiles: they become parts of node ids and file names."""


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number; write a fraction such as 0.05")
    return float(value)


def _sparsity(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a sparsity; write a fraction of at least 0 and under 1, such as 0.90")
    if not 0 <= value < 1:
        raise ValueError(f"{value!r} is not a sparsity of at least 0 and under 1; 0.95 keeps a twentieth")
    return float(value)


def _schedule(value: object) -> float | dict[int, float]:
    """One sparsity, or one for each length."""
    if not isinstance(value, Mapping):
        return _sparsity(value)
    schedule: dict[int, float] = {}
    for key, entry in value.items():
        length = parse_length(key)
        if length in schedule:
            raise ValueError(f"{show_length(length)} stands twice in the schedule")
        schedule[length] = _sparsity(entry)
    return schedule


Length = Annotated[int, BeforeValidator(parse_length)]
Share = Annotated[float, BeforeValidator(_share), Field(gt=0, le=1)]
Name = Annotated[str, Field(pattern=NAME)]


class Strict(BaseModel):
    """A mapping whose every key is known and whose values are of the declared type, without conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ModelSpec(Strict):
    """The model under test.

    Attributes:
        name: what node ids and reports call it where a contract has several; its folder's or file's name by default.
        deployments: those that this one of several models is gated under; all by default.

    """

    path: str = Field(min_length=1)
    name: Name | None = None
    deployments: Annotated[list[Name], Field(min_length=1)] | None = None
    revision: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    batch_size: int = Field(default=1, ge=1, le=1024)
    chat_template_kwargs: dict[str, Any] = {}
    trust_remote_code: bool = False


class PhaseSpec(BaseModel):
    """A method in one phase, its sparsity, and parameters of its own."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    method: str
    sparsity: Annotated[float | dict[int, float] | None, BeforeValidator(_schedule)] = None

    def at(self, length: int) -> float | None:
        """The declared sparsity for prompts of `length` tokens, or None where the schedule leaves it out."""
        return self.sparsity.get(length) if isinstance(self.sparsity, dict) else self.sparsity


class DecodeSpec(PhaseSpec):
    """The decode phase, and where it begins: with the answer, or with the question that stands after the context."""

    begins: Literal["answer", "question"] = Field(default="answer", alias="from")

    @model_validator(mode="before")
    @classmethod
    def _dense_from_the_question(cls, data: Any) -> Any:
        """Leave decoding to the kv method where `from` stands alone; beside any other key a method is missing."""
        return {"method": "dense", **data} if isinstance(data, Mapping) and set(data) == {"from"} else data


class DeploymentSpec(Strict):
    """One attention policy: what each phase does; a phase that is not named is dense."""

    prefill: PhaseSpec | None = None
    kv: PhaseSpec | None = None
    decode: DecodeSpec | None = None

    @property
    def from_question(self) -> bool:
        """Whether the question's own tokens run under the decode and kv methods."""
        return self.decode is not None and self.decode.begins == "question"

    def phase(self, phase: Phase) -> PhaseSpec | None:
        """The phase's method, None for dense."""
        spec: PhaseSpec | None = getattr(self, phase)
        return None if spec is None or spec.method == "dense" else spec


class ItemsSpec(Strict):
    """How many items a cell may use, and which."""

    max: int = Field(default=200, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0)


class GateSpec(Strict):
    """What a release must hold."""

    max_degradation: Share = 0.05
    groups: dict[Name, Share] = {}
    mix: Share | None = None
    min_dense: dict[Name, Share] = {}
    confidence: Annotated[float, BeforeValidator(_share), Field(ge=0.5, lt=1)] = 0.95
    items: ItemsSpec = ItemsSpec()
    inconclusive: Literal["fail", "warn"] = "fail"
    untestable: Literal["fail", "warn"] = "fail"

    def threshold(self, group: str) -> float:
        """Loss allowed to a group's cell."""
        return self.groups.get(group, self.max_degradation)

    def mix_threshold(self) -> float:
        """Loss allowed to the mix."""
        return self.max_degradation if self.mix is None else self.mix


class SweepSpec(Strict):
    """What `--sparsetol-sweep` tries.

    Attributes:
        levels: sparsities, ascending.
        items: of each cell at most; the gate's number by default.

    """

    levels: Annotated[list[Annotated[float, BeforeValidator(_sparsity)]], Field(min_length=1)] = list(LEVELS)
    items: Annotated[int, Field(ge=1, le=100_000)] | None = None

    @field_validator("levels")
    @classmethod
    def _ascending(cls, levels: list[float]) -> list[float]:
        if any(after <= before for before, after in itertools.pairwise([0.0, *levels])):
            raise ValueError(f"the levels {levels} do not ascend from above 0; write them lowest first, each once")
        return levels


class ContractSpec(Strict):
    """The whole file, as it is for one of its models."""

    contract: Literal[1]
    model: ModelSpec
    suite: str = Field(min_length=1)
    lengths: Annotated[list[Length], Field(min_length=1)]
    mix: Annotated[dict[Name, Share], Field(min_length=1)]
    deployments: Annotated[dict[Name, DeploymentSpec], Field(min_length=1)]
    gate: GateSpec = GateSpec()
    baselines: str = "baselines"
    sweep: SweepSpec = SweepSpec()
    certificate: str | None = None
    profiles: dict[Name, dict[str, Any]] = {}

    @field_validator("mix")
    @classmethod
    def _sums_to_one(cls, mix: dict[str, float]) -> dict[str, float]:
        total = sum(mix.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of traffic sum to {total:g}; they must sum to 1")
        return mix

    @field_validator("lengths")
    @classmethod
    def _once(cls, lengths: list[int]) -> list[int]:
        for length in lengths:
            if lengths.count(length) > 1:
                raise ValueError(f"{show_length(length)} stands twice")
        return lengths


@dataclass(frozen=True, eq=False)
class Contract:
    """A checked contract with what it names, for one model: a file that lists several is as many contracts.

    Attributes:
        spec: with this model's deployments alone.
        among: names of all models where the file lists several, in its order; empty otherwise.

    """

    path: Path
    spec: ContractSpec
    suite: Suite
    model: ModelFiles
    document: Document
    among: tuple[str, ...] = ()

    @property
    def model_name(self) -> str:
        """As the contract names it, or as its folder or file is called."""
        return self.spec.model.name or self.model.name

    @property
    def digest(self) -> str:
        """SHA-256 of what the file says, its profile laid over it."""
        return hashlib.sha256(self.spec.model_dump_json(exclude={"profiles"}).encode()).hexdigest()

    @property
    def baselines(self) -> Path:
        """Folder of the stored dense baselines."""
        return self.path.parent / self.spec.baselines

    @functools.cached_property
    def certificate(self) -> Certificate | None:
        """The certificate that the contract cites."""
        if self.spec.certificate is None:
            return None
        from pytest_sparsetol.sweep.certificate import read

        return read(self.path.parent / self.spec.certificate)

    def method(self, deployment: str, phase: Phase, length: int) -> Method | None:
        """The configured method of a deployment's phase on prompts of `length` tokens, None for dense."""
        spec = self.spec.deployments[deployment].phase(phase)
        if spec is None:
            return None
        return _configure(spec, phase, length)


@dataclass(frozen=True)
class _View(Document):
    """A document as one of its models and one of its profiles see it; errors point at where the file says the part.

    Attributes:
        model: place of the model in the file's list, None where it names one alone.
        profile: laid over the rest, None for the file as it stands.

    """

    model: int | None = None
    profile: str | None = None

    def position(self, loc: Loc) -> tuple[int, int]:
        return super().position(self._written(loc))

    def key_position(self, loc: Loc) -> tuple[int, int]:
        return super().key_position(self._written(loc))

    def _written(self, loc: Loc) -> Loc:
        inside: Loc = ("profiles", str(self.profile), *loc)
        if self.profile is not None and _holds(self.data_as_written, inside):
            return inside
        return ("model", self.model, *loc[1:]) if self.model is not None and loc[:1] == ("model",) else loc

    @functools.cached_property
    def data_as_written(self) -> dict[str, Any]:
        return load(self.path).data


def load_contract(path: Path, profile: str | None = None) -> Contract:
    """Read and check a contract of one model; see `load_contracts`."""
    contracts = load_contracts(path, profile)
    if len(contracts) > 1:
        raise contracts[0].document.error(("model",), "model: one model is needed here, and the contract lists several")
    return contracts[0]


def load_contracts(path: Path, profile: str | None = None) -> tuple[Contract, ...]:
    """Read and check the contract at `path`, with `profile` laid over it: one contract a model, in the file's order.

    Every profile of the file is checked, whichever is asked for. Raises `LocatedError` for the first thing that is
    wrong, with file, line, column, the value, and what would be right.
    """
    document = load(path)
    written = document.data.get("model")
    if not isinstance(written, list):
        return (_load(document, profile),)
    if not written:
        raise document.error(("model",), "model: an empty list; name a model, or several")
    if len(written) > 1 and "certificate" in document.data:
        raise document.error(
            ("certificate",), "certificate: it is of one model; a contract that lists several cannot cite one"
        )
    views = [
        _View(document.path, {**document.data, "model": entry}, document.root, model=place)
        for place, entry in enumerate(written)
    ]
    contracts = tuple(_load(view, profile) for view in views)
    _check_all_gated(contracts)
    return contracts if len(contracts) == 1 else tuple(_tell_apart(contracts))


def _load(document: Document, profile: str | None) -> Contract:
    """The contract of one model."""
    plain = _check(document)
    if profile is not None and profile not in plain.spec.profiles:
        raise document.error(("profiles",), f"no profile {profile!r}; {nearest(profile, plain.spec.profiles)}")
    chosen = plain
    for name, changes in plain.spec.profiles.items():
        overlaid = _check(_overlay(document, name, changes))
        if name == profile:
            chosen = overlaid
    return chosen


def _check_all_gated(contracts: Sequence[Contract]) -> None:
    document = contracts[0].document
    for deployment in document.data["deployments"]:
        if not any(deployment in contract.spec.deployments for contract in contracts):
            raise document.error(
                ("deployments", deployment), f"deployments.{deployment}: no model of the contract is gated under it"
            )


def _tell_apart(contracts: Sequence[Contract]) -> Iterator[Contract]:
    """Contracts of one file that know of each other; their models' names become parts of node ids."""
    names: list[str] = []
    for contract in contracts:
        name, loc = contract.model_name, ("model", "path" if contract.spec.model.name is None else "name")
        if re.match(NAME, name) is None:
            raise contract.document.error(loc, f"model: {name!r} cannot be part of a node id; give the model a name")
        if name in names:
            raise contract.document.error(loc, f"model: two models are called {name!r}; give each a name of its own")
        names.append(name)
    return (dataclasses.replace(contract, among=tuple(names)) for contract in contracts)


def _overlay(document: Document, name: str, changes: dict[str, Any]) -> Document:
    for key in ("contract", "profiles", "model", "suite"):
        if key in changes:
            raise document.error(("profiles", name, key), f"a profile cannot change {key!r}")
    data = _merge({key: value for key, value in document.data.items() if key != "profiles"}, changes)
    model = document.model if isinstance(document, _View) else None
    return _View(document.path, data, document.root, model, name)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`: mappings merge, everything else replaces. A mix or deployment list replaces whole."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merge = isinstance(value, dict) and isinstance(under, dict) and key not in {"mix", "deployments"}
        merged[key] = _merge(under, value) if merge else value  # type: ignore[arg-type]  # narrowed by `merge`
    return merged


def _holds(data: Any, loc: Loc) -> bool:
    for part in loc:
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return True


def _check(document: Document) -> Contract:
    spec = _own_deployments(document, document.validate(ContractSpec))
    contract = Contract(document.path, spec, _suite(document, spec), _model(document, spec), document)
    for part in (
        _check_paths,
        _check_groups,
        _check_lengths,
        _check_deployments,
        _check_items,
        _check_mix,
        _check_certificate,
    ):
        part(contract)
    return contract


def _own_deployments(document: Document, spec: ContractSpec) -> ContractSpec:
    """The deployments that the model names, in the order of the file."""
    wanted = spec.model.deployments
    if wanted is not None and not (isinstance(document, _View) and document.model is not None):
        raise document.error(
            ("model", "deployments"), "model.deployments: a model alone is gated under all of a contract's deployments"
        )
    for place, name in enumerate(wanted or ()):
        if name not in spec.deployments:
            raise document.error(
                ("model", "deployments", place),
                f"model.deployments: no deployment {name!r}; {nearest(name, spec.deployments)}",
            )
    kept = {name: part for name, part in spec.deployments.items() if wanted is None or name in wanted}
    return spec.model_copy(update={"deployments": kept})


def _suite(document: Document, spec: ContractSpec) -> Suite:
    from sparsetol_suites.errors import SuiteError
    from sparsetol_suites.suite import load_suite

    try:
        return load_suite(spec.suite, document.path.parent)
    except LocatedError:
        raise
    except SuiteError as error:
        raise document.error(("suite",), str(error)) from None


def _model(document: Document, spec: ContractSpec) -> ModelFiles:
    try:
        return locate(spec.model.path, document.path.parent)
    except SparsetolError as error:
        raise document.error(("model", "path"), str(error)) from None


def _check_paths(contract: Contract) -> None:
    folder = contract.path.parent.resolve()
    if not contract.baselines.resolve().is_relative_to(folder):
        raise contract.document.error(
            ("baselines",), f"{contract.spec.baselines!r} leaves the contract's folder; name a folder inside it"
        )
    named = contract.spec.certificate
    if named is not None and not (contract.path.parent / named).resolve().is_relative_to(folder):
        raise contract.document.error(
            ("certificate",), f"certificate: {named!r} leaves the contract's folder; name a file inside it"
        )


def _check_groups(contract: Contract) -> None:
    groups = contract.suite.groups
    if "mix" in contract.spec.mix:
        raise contract.document.error(("mix", "mix"), "mix: a group cannot be called 'mix'; that names the whole")
    named = (("mix", contract.spec.mix), ("gate.groups", contract.spec.gate.groups))
    for where, names in (*named, ("gate.min_dense", contract.spec.gate.min_dense)):
        known = groups if where == "mix" else tuple(contract.spec.mix)
        source = f"suite {contract.suite.name!r}" if where == "mix" else "mix"
        for group in names:
            if group not in known:
                raise contract.document.error(
                    (*where.split("."), group), f"{where}: {source} has no group {group!r}; {nearest(group, known)}"
                )


def _check_deployments(contract: Contract) -> None:
    for name, deployment in contract.spec.deployments.items():
        if deployment.from_question and not (deployment.phase("kv") or deployment.phase("decode")):
            raise contract.document.error(
                ("deployments", name, "decode", "from"),
                f"deployments.{name}.decode: from: question needs a decode or a kv method that acts from there on",
            )
        for phase in PHASES:
            spec = deployment.phase(phase)
            if spec is None:
                continue
            loc: Loc = ("deployments", name, phase)
            if "from" in (spec.model_extra or {}):
                raise contract.document.error(
                    (*loc, "from"),
                    f"{'.'.join(map(str, loc))}: 'from' belongs to decode: write decode: {{from: question}}; "
                    "a kv method then acts from there on too",
                )
            try:
                _method_class(spec, phase)
            except MethodError as error:
                raise contract.document.error((*loc, "method"), f"{'.'.join(map(str, loc))}: {error}") from None
            _check_schedule(contract, loc, spec)
            for length in contract.spec.lengths:
                try:
                    check_reach(deployment, phase, length)
                except MethodError as error:
                    parameter = next((key for key in spec.model_extra or {} if key in str(error)), "sparsity")
                    raise contract.document.error((*loc, parameter), f"{'.'.join(map(str, loc))}: {error}") from None


def check_reach(deployment: DeploymentSpec, phase: Phase, length: int) -> None:
    """Raise `MethodError` where the method of a phase that is not dense cannot hold its sparsity at `length` tokens."""
    spec = deployment.phase(phase)
    if spec is None:
        return
    method = _configure(spec, phase, length)
    method.check(length)
    if phase == "decode":
        _check_left(deployment, method, length)


def _check_left(deployment: DeploymentSpec, decode: Method, length: int) -> None:
    """A decode method chooses among what the deployment's kv method leaves: its sparsity must be in reach there."""
    spec = deployment.phase("kv")
    kv = None if spec is None else _configure(spec, "kv", length)
    if not isinstance(kv, KvMethod):
        return
    left = kv.least_kept(length)
    try:
        decode.check(left)
    except MethodError as error:
        raise MethodError(f"{kv.name} may leave a key head {left} of {length} tokens, and {error}") from None


def _check_schedule(contract: Contract, loc: Loc, spec: PhaseSpec) -> None:
    where = ".".join(map(str, loc))
    if spec.sparsity is None:
        explicit = method_class(spec.method).explicit  # type: ignore[union-attr]  # the caller has found it
        if not any(name in (spec.model_extra or {}) for name in explicit):
            instead = f" (or {' and '.join(explicit)} in its place)" if explicit else ""
            raise contract.document.error(loc, f"missing key 'sparsity' in {where}{instead}")
        return
    for length in contract.spec.lengths:
        if spec.at(length) is None:
            raise contract.document.error(
                (*loc, "sparsity"),
                f"{where}: the schedule has no sparsity for {show_length(length)}; "
                f"name each of the contract's lengths (nothing is interpolated)",
            )


def _check_lengths(contract: Contract) -> None:
    holds = context_length(contract.model)
    if holds is None:
        return
    answer = max(task.answer_tokens for task in contract.suite.tasks if task.group in contract.spec.mix)
    for index, length in enumerate(contract.spec.lengths):
        if length + answer > holds:
            raise contract.document.error(
                ("lengths", index),
                f"{show_length(length)} and an answer of up to {answer} tokens exceed the {holds} tokens that "
                f"{contract.model_name} holds",
            )


def _check_items(contract: Contract) -> None:
    from pytest_sparsetol.statistics.planning import items_to_pass

    gate = contract.spec.gate
    for group in contract.spec.mix:
        tasks = [task for task in contract.suite.tasks if task.group == group]
        each = gate.items.max // len(tasks)
        if each == 0:
            raise contract.document.error(
                ("gate", "items", "max"),
                f"gate.items.max: {gate.items.max} cannot be split over the {len(tasks)} tasks of {group}",
            )
        for task in tasks:
            there = task.available()
            if there is not None and there < each:
                raise contract.document.error(
                    ("gate", "items", "max"),
                    f"gate.items.max: {gate.items.max} items in {group} ask task {task.name!r} for {each}; it has "
                    f"{there}: lower it to {there * len(tasks)} or add records",
                )
        needed = items_to_pass(gate.threshold(group), gate.confidence)
        if each * len(tasks) < needed:
            raise contract.document.error(
                ("gate", "items", "max"),
                f"gate.items.max: {each * len(tasks)} items cannot show a loss of at most {gate.threshold(group):g} in "
                f"{group} at confidence {gate.confidence:g}, even without a single loss; {needed} can",
            )


def _method_class(spec: PhaseSpec, phase: Phase) -> type[Method]:
    """The method that a phase names; raise `MethodError` where there is none of that name in that phase."""
    method = method_class(spec.method)
    if method is None or method.phase != phase:
        hint = nearest(spec.method, method_names(phase)) if method is None else f"it acts in {method.phase}"
        raise MethodError(f"no {phase} method {spec.method!r}; {hint}")
    return method


def _check_mix(contract: Contract) -> None:
    from pytest_sparsetol.statistics.mix_items import items_for_mix, mix_can_pass

    gate, weights = contract.spec.gate, contract.spec.mix
    sizes = {group: sum(task.group == group for task in contract.suite.tasks) for group in weights}

    def planned(most: int) -> dict[str, int]:
        return {group: most // size * size for group, size in sizes.items()}

    threshold = gate.mix_threshold()
    if not mix_can_pass(planned(gate.items.max), weights, threshold, gate.confidence):
        needed = items_for_mix(planned, weights, threshold, gate.confidence)
        raise contract.document.error(
            ("gate", "items", "max"),
            f"gate.items.max: {gate.items.max} items a group cannot show a loss of at most {threshold:g} of the mix at "
            f"confidence {gate.confidence:g}, even without a single loss; {needed} can",
        )


def _check_certificate(contract: Contract) -> None:
    if contract.spec.certificate is None:
        return
    from pytest_sparsetol.sweep.inside import OutsideError, check_inside

    try:
        certificate = contract.certificate
        if certificate is not None:
            check_inside(contract, certificate)
    except OutsideError as error:
        raise contract.document.error(error.loc, str(error)) from None
    except CertificateError as error:
        raise contract.document.error(("certificate",), f"certificate: {error}") from None


def _configure(spec: PhaseSpec, phase: Phase, length: int) -> Method:
    """Build the method; raise `MethodError` for parameters that it does not have or cannot honour."""
    method = _method_class(spec, phase)
    try:
        parameters = check(method, spec.method, spec.model_extra or {}, own={"sparsity"})
    except ParameterError as error:
        raise MethodError(str(error)) from None
    sparsity = spec.at(length)
    if sparsity is None and spec.sparsity is not None:
        raise MethodError(f"no sparsity is declared for {show_length(length)}")
    return method(sparsity=sparsity, **parameters)


__all__ = ["Contract", "ContractSpec", "ModelSpec", "load_contract", "load_contracts"]
