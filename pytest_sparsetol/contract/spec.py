"""What each key of a contract may hold; what keys say of each other and of other files is checked in `checks`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from sparsetol_suites.lengths import show_length

from pytest_sparsetol.contract.values import Confidence, Length, Name, Schedule, Share, Sparsity
from pytest_sparsetol.methods.base import Phase
from pytest_sparsetol.statistics.mix_items import MOST_ITEMS

LEVELS = (0.5, 0.67, 0.8, 0.9, 0.933, 0.95)
"""Sparsities that a sweep tries unless the contract names others; 0.933 is a budget of one fifteenth."""


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
    sparsity: Schedule = None

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

    max: int = Field(default=200, ge=1, le=MOST_ITEMS)
    seed: int = Field(default=0, ge=0)


class GateSpec(Strict):
    """What a release must hold."""

    max_degradation: Share = 0.05
    groups: dict[Name, Share] = {}
    mix: Share | None = None
    min_dense: dict[Name, Share] = {}
    confidence: Confidence = 0.95
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

    levels: Annotated[list[Sparsity], Field(min_length=1)] = list(LEVELS)
    items: Annotated[int, Field(ge=1, le=MOST_ITEMS)] | None = None

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
