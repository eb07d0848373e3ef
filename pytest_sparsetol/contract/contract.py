"""A checked contract."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparsetol_suites.located_yaml import Document

from pytest_sparsetol.contract.phases import configure
from pytest_sparsetol.contract.spec import ContractSpec
from pytest_sparsetol.methods.base import Method, Phase
from pytest_sparsetol.model_files import ModelFiles

if TYPE_CHECKING:
    from sparsetol_suites.suite import Suite

    from pytest_sparsetol.sweep.certificate import Certificate


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
        return configure(spec, phase, length)
