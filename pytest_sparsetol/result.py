"""What a cell and a mix came to, in the shape that `--sparsetol-json` keeps stable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_sparsetol.methods.base import PHASES

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "UNTESTABLE", "NOT_EXERCISED", "UNTESTED", "ERROR"]
PhaseSparsity = dict[str, float | None]
"""Sparsity by phase (`prefill`, `kv`, `decode`), null for a dense phase."""

EvidenceRecalls = dict[str, dict[str, Any] | None]
"""Evidence recall by phase, null where nothing was counted: `mean`, `best`, `facts`, `by_order` and `by_depth`."""


@dataclass(frozen=True, kw_only=True)
class NoiseFloor:
    """How much dense differs from itself.

    Attributes:
        between: what was changed, such as `batch 1 for 8`; None where there was nothing to change.
        items: items that were answered again.
        differ: those whose score changed.
        mean: mean distance of the scores.
        floor: lower limit of that mean: the least that is certain.

    """

    between: str | None
    items: int
    differ: int
    mean: float
    floor: float


@dataclass(frozen=True, kw_only=True)
class CellCost:
    """Work of attention and MLP at a cell's length, as `pytest_sparsetol.cost` counts it.

    Attributes:
        batch: sequences that share a decoding step's reading of the weights.
        dense_prefill_flops: FLOPs of a prompt.
        dense_decode_bytes: bytes read for a generated token.
        prefill_flops: the same under the deployment, by the sparsity that was loaded.
        decode_bytes: likewise.

    """

    batch: int
    dense_prefill_flops: float
    dense_decode_bytes: float
    prefill_flops: float
    decode_bytes: float


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """One cell. Scores and losses are fractions, positive = loss; what was not measured is None.

    Attributes:
        degradation: mean of dense - sparse score over the items.
        lower: one-sided lower limit of that mean at the contract's confidence.
        upper: one-sided upper limit, likewise.
        threshold: allowed degradation.
        items: pairs that the verdict rests on.
        missing_rate: share of sparse replies without a parsable answer.
        truncated_rate: share of sparse replies that used up their budget of new tokens.
        measured_sparsity: share not attended, counted while running.
        loaded_sparsity: share not loaded, whole tiles and selection data counted.
        methods: method of each phase with its parameters as they act at this length, null for a dense phase.
        found: parameters that the declared sparsity came to, such as FlexPrefill's coverage: `prefill.alpha` and so on,
            each with `least`, `mean` and `most` over layers (and heads) and items.
        layers: layers of the model that compute attention.
        local_layers: those of them whose window is shorter than the prompts; they stay as they are, under no method.
        resolves: the smallest loss that the planned items can resolve, as said at collection.
        decode_from: `question` where the question's own tokens run under the decode and kv methods; None where both
            are dense.
        sparse_steps: mean decoding steps an item that ran under a decode or kv method, the question's tokens counted
            where decoding begins there; None where both are dense.
        evidence_recall: by phase, how much of what answers need the policy left to the queries that produce them; see
            `pytest_sparsetol.recall`.
        noise: the noise floor of the baseline, None where it was recorded without.
        cost: work at this length; None where the model's config does not tell.
        seconds: wall time of the cell, loading the model and recording dense outcomes included.
        seconds_per_item: answering and scoring alone, as the items' batch ran.
        peak_memory: bytes held on the device at most, None where it does not count them.

    """

    contract: str
    model: str
    deployment: str
    group: str
    length: int
    verdict: Verdict
    reason: str
    degradation: float | None = None
    lower: float | None = None
    upper: float | None = None
    threshold: float
    resolves: float | None = None
    items: int = 0
    dense_score: float | None = None
    sparse_score: float | None = None
    missing_rate: float | None = None
    truncated_rate: float | None = None
    declared_sparsity: PhaseSparsity
    measured_sparsity: PhaseSparsity
    loaded_sparsity: PhaseSparsity
    methods: dict[str, str | None] = field(default_factory=dict)
    found: dict[str, dict[str, float]] = field(default_factory=dict)
    layers: int | None = None
    local_layers: int | None = None
    decode_from: Literal["answer", "question"] | None = None
    sparse_steps: float | None = None
    evidence_recall: EvidenceRecalls = field(default_factory=lambda: dict.fromkeys(PHASES))
    noise: NoiseFloor | None = None
    cost: CellCost | None = None
    device: str | None = None
    backend: str | None = None
    seconds: float = 0.0
    seconds_per_item: float | None = None
    peak_memory: int | None = None
    node_id: str

    def __post_init__(self) -> None:
        # From JSON, or from a worker, its parts come as plain mappings.
        if isinstance(self.noise, dict):
            object.__setattr__(self, "noise", NoiseFloor(**self.noise))
        if isinstance(self.cost, dict):
            object.__setattr__(self, "cost", CellCost(**self.cost))


@dataclass(frozen=True, kw_only=True)
class MixResult:
    """The traffic-weighted verdict of one deployment at one length."""

    contract: str
    model: str
    deployment: str
    length: int
    verdict: Verdict
    reason: str
    degradation: float | None = None
    lower: float | None = None
    upper: float | None = None
    threshold: float
    resolves: float | None = None
    groups: dict[str, float]
    node_id: str


@dataclass(frozen=True)
class Evidence:
    """The paired outcomes behind a cell, for the mix: in the order run.

    Where a contract has several models, also what sets them side by side, of all planned items in the same order.

    Attributes:
        differences: dense - sparse score of the items used.
        tasks: of the items used.
        clusters: documents of the items used.
        dense: dense scores of the planned items.
        documents: number of each planned item's document; empty where no two items share one.
        asked: hash of the planned items' messages: two models with the same one were asked the same.

    """

    differences: list[float]
    tasks: list[str]
    clusters: list[str]
    dense: list[float] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    asked: str = ""


def headline(verdict: Verdict, cell: str, deployment: str, reason: str) -> str:
    """The first line of a failure, such as `FAIL multi_qa[1k] quest-20x: lost 23.4 points (...)`."""
    return f"{verdict} {cell} {deployment}: {reason}"


def points(fraction: float) -> str:
    """A fraction as points with one decimal: 0.234 is 23.4; what rounds to nothing has no sign."""
    return f"{100 * fraction:z.1f}"


def lost(degradation: float) -> str:
    """`lost 23.4 points`, or `gained 1.2 points`."""
    text = points(degradation)
    return f"gained {text[1:]} points" if text.startswith("-") else f"lost {text} points"
