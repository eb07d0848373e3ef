"""The certificate: the largest sparsity shown safe per policy, length and group and for the mix, and its evidence.

Nothing heavy is imported: contracts that cite a certificate are checked against it when they are collected.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pytest_sparsetol.baseline import write_atomically
from pytest_sparsetol.errors import CertificateError
from pytest_sparsetol.result import PhaseSparsity

FORMAT = 1
VOIDED_BY = {
    "model": "other weights",
    "prompt": "another tokenizer or chat template",
    "dtype": "another dtype",
    "tasks": "other tasks or task parameters",
    "kernels": "other code that selects or computes sparse attention",
    "methods": "other code of the team's own methods",
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LevelEvidence(_Part):
    """What was seen of a group, or of the mix, at one level. Scores and losses are fractions, positive = loss.

    Attributes:
        p_value: of "the loss is at least the threshold".
        losses: items on which the sparse model did worse.
        gains: items on which it did better.
        upper: one-sided upper limit of the loss, at the certificate's confidence for this level alone.
        peak_memory: bytes on the device, None where it does not count them.

    """

    sparsity: float
    verdict: str
    reason: str
    p_value: float
    items: int
    losses: int
    gains: int
    degradation: float | None
    upper: float | None
    dense_score: float | None
    sparse_score: float | None
    measured_sparsity: PhaseSparsity
    loaded_sparsity: PhaseSparsity
    seconds_per_item: float | None
    peak_memory: int | None
    backend: str | None


class Claim(_Part):
    """One sequence of levels and what is shown of it.

    Attributes:
        policy: name of the methods.
        methods: phase to method and its parameters.
        group: or `mix`.
        threshold: allowed loss.
        safe: the largest sparsity shown safe, None where none is.
        alpha: the share of alpha that the levels were tested with.
        ended: why nothing further up is shown.
        dense_seconds: of a dense answer.
        dense_memory: peak bytes of dense answers.

    """

    policy: str
    methods: dict[str, dict[str, Any]]
    length: int
    group: str
    threshold: float
    safe: float | None
    alpha: float
    ended: str
    dense_seconds: float | None
    dense_memory: int | None
    levels: list[LevelEvidence]

    @property
    def untestable(self) -> bool:
        """Whether the dense model itself is too weak for a loss to show."""
        return any(level.verdict == "UNTESTABLE" for level in self.levels)


class Effort(_Part):
    """What the sweep took, and what every level of every group would have taken.

    Attributes:
        seconds: of answering under sparse policies.
        grid_seconds: estimated from the seconds an item of the same policy and length.

    """

    cells: int
    items: int
    seconds: float
    grid_cells: int
    grid_items: int
    grid_seconds: float | None


class Certificate(_Part):
    """A whole certificate; `read` and `write` add and check a checksum.

    Attributes:
        made: date and time, UTC.
        confidence: with which all claims hold together.
        sequences: how many claims share the error.
        identity: what the claims hold for; a change of any part voids the certificate.
        circumstances: device and versions, recorded and not matched.
        mix: shares of traffic.

    """

    sparsetol_certificate: Literal[1]
    made: str
    contract: str
    model: str
    suite: str
    suite_version: int | str
    confidence: float
    sequences: int
    rule: str
    identity: dict[str, Any]
    voided_by: dict[str, str]
    circumstances: dict[str, Any]
    batch_size: int
    seed: int
    mix: dict[str, float]
    claims: list[Claim]
    effort: Effort

    def claim(self, methods: Mapping[str, Mapping[str, Any]], length: int, group: str) -> Claim | None:
        """The claim about a policy, a length and a group."""
        return next(
            (c for c in self.claims if (c.methods, c.length, c.group) == (methods, length, group)),
            None,
        )


def write(path: Path, certificate: Certificate) -> None:
    """Write a certificate with its checksum in one step."""
    data = certificate.model_dump(mode="json")
    write_atomically(path, json.dumps({**data, "sha256": _checksum(data)}, indent=1, allow_nan=False) + "\n")


def read(path: Path) -> Certificate:
    """Read a certificate.

    Raises:
        CertificateError: it is not there, not a certificate of this format, or was changed after it was written.

    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CertificateError(f"certificate {path.name} cannot be read: {error}") from None
    if not isinstance(data, dict) or data.get("sparsetol_certificate") != FORMAT:
        raise CertificateError(f"{path.name} is no certificate in format {FORMAT} of this version")
    if data.pop("sha256", None) != _checksum(data):
        raise CertificateError(f"certificate {path.name} was changed after it was written: its checksum does not fit")
    try:
        return Certificate.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise CertificateError(f"certificate {path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def changed(certificate: Certificate, now: Mapping[str, Any]) -> list[str]:
    """What voids a certificate, in words; `now` is the identity of what runs."""
    return [text for part, text in VOIDED_BY.items() if _differs(certificate.identity.get(part), now.get(part), part)]


def _differs(then: Any, now: Any, part: str) -> bool:
    if part == "methods":
        # A contract may use fewer methods than were swept.
        return any(then.get(name) != digest for name, digest in now.items())
    return bool(then != now)


def _checksum(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
