"""Whether a contract that cites a certificate lies inside it, as far as its text tells; weights are compared later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sparsetol_suites.lengths import show_length
from sparsetol_suites.located_yaml import Loc

from pytest_sparsetol.errors import CertificateError
from pytest_sparsetol.methods.base import PHASES
from pytest_sparsetol.sweep.certificate import Certificate, Claim

if TYPE_CHECKING:
    from pytest_sparsetol.contract import Contract

_MIX = "mix"


class OutsideError(CertificateError):
    """What a contract declares is not covered; `loc` names the place in the contract."""

    def __init__(self, loc: Loc, message: str) -> None:
        super().__init__(message)
        self.loc = loc


def check_inside(contract: Contract, certificate: Certificate) -> None:
    """Raise `OutsideError` for the first deployment, length, group, threshold or share that is not covered.

    A sparsity lies inside when it is at most the largest one shown safe: less sparsity is taken to lose no more.
    """
    gate, name = contract.spec.gate, Path(str(contract.spec.certificate)).name
    if gate.confidence > certificate.confidence:
        raise OutsideError(
            ("gate", "confidence"),
            f"gate.confidence: {gate.confidence:g} is above {certificate.confidence:g}, which {name} gives",
        )
    if contract.spec.mix != certificate.mix:
        raise OutsideError(("mix",), f"mix: {name} weighs another mix, {_shares(certificate.mix)}; sweep this one")
    for deployment in contract.spec.deployments:
        for length in contract.spec.lengths:
            for group in (*contract.spec.mix, _MIX):
                _check(contract, certificate, name, deployment, length, group)


def _check(contract: Contract, certificate: Certificate, name: str, deployment: str, length: int, group: str) -> None:
    from pytest_sparsetol.sweep.ladder import methods_of, name_of

    spec, gate = contract.spec.deployments[deployment], contract.spec.gate
    methods = methods_of(spec)
    if not methods:
        return
    loc: Loc = ("deployments", deployment)
    claim = certificate.claim(methods, length, group)
    covered = _covers(certificate)
    what = f"{name_of(methods)} at {show_length(length)}"
    if claim is None:
        raise OutsideError(loc, f"deployments.{deployment}: {name} says nothing of {what}; it covers {covered}")
    threshold = gate.mix_threshold() if group == _MIX else gate.threshold(group)
    if threshold < claim.threshold:
        raise OutsideError(
            ("gate",),
            f"gate: {name} shows a loss of at most {claim.threshold:g} in {group}, the gate allows {threshold:g}",
        )
    if claim.safe is None:
        if not (_untestable(certificate, claim) and gate.untestable == "warn"):
            raise OutsideError(loc, f"deployments.{deployment}: {name} shows no safe sparsity of {what} in {group}")
        return
    for phase in PHASES:
        part = spec.phase(phase)
        sparsity = None if part is None else part.at(length)
        if sparsity is not None and sparsity > claim.safe:
            raise OutsideError(
                (*loc, phase, "sparsity"),
                f"deployments.{deployment}.{phase}: sparsity {sparsity:g} lies outside {name}, which shows {what} "
                f"safe in {group} up to {claim.safe:g}",
            )


def _untestable(certificate: Certificate, claim: Claim) -> bool:
    """A mix is untestable with any of its groups."""
    siblings = [c for c in certificate.claims if (c.methods, c.length) == (claim.methods, claim.length)]
    return any(c.untestable for c in (siblings if claim.group == _MIX else [claim]))


def _covers(certificate: Certificate) -> str:
    found = dict.fromkeys(f"{claim.policy} at {show_length(claim.length)}" for claim in certificate.claims)
    return ", ".join(found) or "nothing"


def _shares(mix: dict[str, float]) -> str:
    return ", ".join(f"{group} {100 * share:g} %" for group, share in mix.items())
