"""What a sweep climbs: for each policy of a contract and each length, the levels of sparsity, lowest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sparsetol_suites.lengths import show_length

from pytest_sparsetol.cells import MIX
from pytest_sparsetol.contract import Contract, DecodeSpec, DeploymentSpec, PhaseSpec, check_reach
from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import PHASES, Phase

DENSE = "dense"


@dataclass(frozen=True)
class Policy:
    """Methods with their parameters, whatever their sparsity. All its phases climb together.

    Attributes:
        name: methods joined by `+`, such as `flexprefill+quest`; the deployment's name is added where two policies
            have the same methods with other parameters.
        spec: the phases that are not dense.
        whole: whether a deployment of the contract is this policy, and not only a phase of one.

    """

    name: str
    spec: DeploymentSpec
    whole: bool

    def methods(self) -> dict[str, dict[str, object]]:
        """Phase to method and the parameters that the contract gives, without the sparsity."""
        return methods_of(self.spec)


@dataclass(frozen=True)
class Ladder:
    """One policy at one length.

    Attributes:
        levels: sparsities that the policy reaches at this length, ascending.
        out_of_reach: the levels above, and why.

    """

    policy: Policy
    length: int
    levels: tuple[float, ...]
    out_of_reach: dict[float, str]

    @property
    def name(self) -> str:
        """`sweep[2k]`, the last part of its node id."""
        return f"sweep[{show_length(self.length)}]"

    def at(self, contract: Contract, level: float) -> Contract:
        """The contract with this policy at a level as its only deployment, and the sweep's number of items."""
        spec = contract.spec
        phases: dict[str, PhaseSpec] = {
            phase: part.model_copy(update={"sparsity": level})
            for phase in PHASES
            if (part := self.policy.spec.phase(phase)) is not None
        }
        deployment = self.policy.spec.model_copy(update=phases)
        items = spec.gate.items.model_copy(update={"max": spec.sweep.items or spec.gate.items.max})
        gate = spec.gate.model_copy(update={"items": items})
        return dataclasses.replace(
            contract, spec=spec.model_copy(update={"deployments": {self.policy.name: deployment}, "gate": gate})
        )


def methods_of(spec: DeploymentSpec) -> dict[str, dict[str, object]]:
    """Phase to method and the parameters that the contract gives, without the sparsity; dense phases are left out.

    Decoding from the question is part of the policy, whether decode itself is dense or not.
    """
    found: dict[str, dict[str, object]] = {
        phase: {"method": part.method, **(part.model_extra or {})}
        for phase in PHASES
        if (part := spec.phase(phase)) is not None
    }
    if found and spec.from_question:
        found["decode"] = {**found.get("decode", {"method": DENSE}), "from": "question"}
    return found


def name_of(methods: Mapping[str, Mapping[str, object]]) -> str:
    """`flexprefill+quest`."""
    return "+".join(str(part["method"]) for part in methods.values() if part["method"] != DENSE)


def policies(contract: Contract) -> list[Policy]:
    """Each deployment's phases together, then each of several phases alone; what is the same is there once."""
    found: list[Policy] = []
    for name, deployment in contract.spec.deployments.items():
        moving = [phase for phase in PHASES if deployment.phase(phase) is not None]
        if moving:
            _add(found, name, _only(deployment, moving), whole=True)
        for phase in moving if len(moving) > 1 else []:
            _add(found, name, _only(deployment, [phase]), whole=False)
    return found


def _only(deployment: DeploymentSpec, phases: list[Phase]) -> DeploymentSpec:
    dropped: dict[str, object] = {phase: None for phase in PHASES if phase not in phases}
    if deployment.from_question and "kv" in phases and "decode" in dropped:
        # What kv leaves is read from the question on, also where decode is dense.
        dropped["decode"] = DecodeSpec.model_validate({"from": "question"})
    return deployment.model_copy(update=dropped)


def _add(found: list[Policy], deployment: str, spec: DeploymentSpec, *, whole: bool) -> None:
    methods = methods_of(spec)
    for place, policy in enumerate(found):
        if policy.methods() == methods:
            found[place] = dataclasses.replace(policy, whole=policy.whole or whole)
            return
    name = name_of(methods)
    if any(policy.name == name for policy in found):
        name = f"{name}-{deployment}"
    found.append(Policy(name, spec, whole))


def ladders(contract: Contract) -> Iterator[Ladder]:
    """All ladders in the order of the file, by policy and length."""
    for policy in policies(contract):
        for length in contract.spec.lengths:
            yield _ladder(contract, policy, length)


def _ladder(contract: Contract, policy: Policy, length: int) -> Ladder:
    whole = Ladder(policy, length, tuple(contract.spec.sweep.levels), {})
    problems: dict[float, str] = {}
    for level in whole.levels:
        deployment = whole.at(contract, level).spec.deployments[policy.name]
        try:
            for phase in PHASES:
                check_reach(deployment, phase, length)
        except MethodError as error:
            problems[level] = str(error)
    # What is out of reach stays so further up.
    lowest = min(problems, default=1.0)
    reached = tuple(level for level in whole.levels if level < lowest)
    return Ladder(
        policy, length, reached, {level: problems.get(level, "") for level in whole.levels if level >= lowest}
    )


def sequences(contract: Contract) -> int:
    """How many claims share the error of a certificate: each ladder's groups and its mix."""
    return sum(bool(ladder.levels) for ladder in ladders(contract)) * len((*contract.spec.mix, MIX))
