"""After the last ladder: what is shown, and the files that say so."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sparsetol_suites.lengths import show_length

from pytest_sparsetol.baseline import write_atomically
from pytest_sparsetol.cells import MIX, planned_items
from pytest_sparsetol.contract import Contract
from pytest_sparsetol.errors import CertificateError
from pytest_sparsetol.statistics.fixed_sequences import Claim as Shown
from pytest_sparsetol.statistics.fixed_sequences import shown_safe
from pytest_sparsetol.sweep import certificate as files
from pytest_sparsetol.sweep.certificate import VOIDED_BY, Certificate, Claim, Effort, LevelEvidence
from pytest_sparsetol.sweep.ladder import DENSE, Ladder, policies
from pytest_sparsetol.sweep.outcome import LadderResult, Tested
from pytest_sparsetol.sweep.proposal import Proposal, propose

RULE = (
    "fixed sequences of ascending levels, each stopped at the first one that is not shown; Holm over the sequences, "
    "whose shares grow as others are shown to their last level"
)
COLUMNS = (
    "policy", "length", "group", "sparsity", "shown_safe", "loss", "upper", "score", "items", "seconds_per_item",
    "peak_memory",
)  # fmt: skip
HEADER = "# Written by pytest --sparsetol-sweep"

Climbed = Sequence[tuple[Ladder, LadderResult]]


@dataclass(frozen=True)
class Written:
    """What a sweep came to and where it is; `contract` is None where no level could be proposed."""

    certificate: Certificate
    certificate_path: Path
    frontier: Path
    contract: Path | None
    proposal: Proposal
    cut: int
    """Ladders that time was up for before they ended."""


def finish(contract: Contract, climbed: Climbed) -> Written:
    """Settle the claims and write certificate, frontier and contract beside the contract, each in one step.

    Raises:
        CertificateError: ladders ran on different weights or code, or a file of the team's own has the contract's name.

    """
    made = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    certificate = certify(contract, climbed, made)
    safe = {(claim.policy, claim.length, claim.group): claim.safe for claim in certificate.claims}
    proposal = propose(contract, climbed, safe)
    names = paths(contract.path)
    if proposal.levels:
        _refuse_foreign(names["contract"])
    files.write(names["certificate"], certificate)
    write_atomically(names["frontier"], frontier(certificate))
    if proposal.levels:
        write_atomically(names["contract"], contract_text(contract, proposal, names["certificate"].name, made))
    return Written(
        certificate,
        names["certificate"],
        names["frontier"],
        names["contract"] if proposal.levels else None,
        proposal,
        sum(result.cut for _, result in climbed),
    )


def paths(contract: Path) -> dict[str, Path]:
    """`certificate.json`, `frontier.csv`, `safe.sparsetol.yaml`; with the contract's name before where it has one."""
    name = contract.name.removesuffix(contract.suffix)
    before = "" if name == "sparsetol" else name.removesuffix(".sparsetol") + "."
    return {
        "certificate": contract.with_name(f"{before}certificate.json"),
        "frontier": contract.with_name(f"{before}frontier.csv"),
        "contract": contract.with_name(f"{before}safe.sparsetol.yaml"),
    }


def certify(contract: Contract, climbed: Climbed, made: str) -> Certificate:
    """The claims that hold together, from what was tested."""
    spec = contract.spec
    results = [result for _, result in climbed]
    first = results[0]
    if any(result.identity != first.identity for result in results):
        raise CertificateError("the ladders ran on different weights, prompts, tasks or code: nothing is certified")
    tests = [(ladder, result, group) for ladder, result in climbed for group in (*spec.mix, MIX) if ladder.levels]
    shown = shown_safe(
        [[one.p_value for one in result.of(group)] for _, result, group in tests],
        [len(ladder.levels) for ladder, _, _ in tests],
        1 - spec.gate.confidence,
    )
    return Certificate(
        sparsetol_certificate=1,
        made=made,
        contract=contract.path.name,
        model=contract.model_name,
        suite=contract.suite.name,
        suite_version=contract.suite.version,
        confidence=spec.gate.confidence,
        sequences=len(tests),
        rule=RULE,
        identity=first.identity,
        voided_by=VOIDED_BY,
        circumstances=first.circumstances,
        batch_size=spec.model.batch_size,
        seed=spec.gate.items.seed,
        mix=spec.mix,
        claims=[_claim(contract, *test, claim) for test, claim in zip(tests, shown, strict=True)],
        effort=effort(contract, climbed),
    )


def _claim(contract: Contract, ladder: Ladder, result: LadderResult, group: str, shown: Shown) -> Claim:
    tested = result.of(group)
    gate = contract.spec.gate
    return Claim(
        policy=ladder.policy.name,
        methods=ladder.policy.methods(),
        length=ladder.length,
        group=group,
        threshold=gate.mix_threshold() if group == MIX else gate.threshold(group),
        safe=ladder.levels[shown.levels - 1] if shown.levels else None,
        alpha=shown.alpha,
        ended=_ended(ladder, result, group, shown),
        dense_seconds=result.dense_seconds.get(group),
        dense_memory=result.dense_memory.get(group),
        levels=[_level(one) for one in tested],
    )


def _ended(ladder: Ladder, result: LadderResult, group: str, shown: Shown) -> str:
    tested = result.of(group)
    if shown.levels < len(tested):
        stopper = tested[shown.levels]
        if stopper.verdict == "PASS":
            return (
                f"{stopper.sparsity:g} would pass alone (p = {stopper.p_value:.2g}), not as one of all claims "
                f"(its share of alpha is {shown.alpha:.2g}): {stopper.reason}"
            )
        return f"{stopper.sparsity:g} is {stopper.verdict}: {stopper.reason}"
    if shown.levels < len(ladder.levels):
        level = ladder.levels[shown.levels]
        if group == MIX and any(one.sparsity == level and one.evidence is None for one in result.tested):
            return f"the mix was not tested at {level:g}: a group has no verdict there"
        return f"time was up before {level:g} was run"
    if ladder.out_of_reach:
        level, why = next(iter(ladder.out_of_reach.items()))
        return f"{level:g} is out of reach: {why}"
    return "the last level"


def _level(one: Tested) -> LevelEvidence:
    return LevelEvidence(**{name: getattr(one, name) for name in LevelEvidence.model_fields})


def effort(contract: Contract, climbed: Climbed) -> Effort:
    """What was run, against every level of every group at its full number of items."""
    cells = items = grid_cells = grid_items = 0
    seconds = grid_seconds = 0.0
    known = True
    for ladder, result in climbed:
        groups = [one for one in result.tested if one.group != MIX and one.items]
        cells += len(groups)
        items += sum(one.items for one in groups)
        seconds += result.seconds
        for group in contract.spec.mix:
            each = _planned(contract, ladder, group)
            grid_cells += len(ladder.levels)
            grid_items += len(ladder.levels) * each
            speeds = [one.seconds_per_item for one in groups if one.group == group and one.seconds_per_item is not None]
            known = known and bool(speeds)
            grid_seconds += len(ladder.levels) * each * sum(speeds) / max(1, len(speeds))
    return Effort(
        cells=cells,
        items=items,
        seconds=seconds,
        grid_cells=grid_cells,
        grid_items=grid_items,
        grid_seconds=grid_seconds if known else None,
    )


def _planned(contract: Contract, ladder: Ladder, group: str) -> int:
    return planned_items(ladder.at(contract, ladder.levels[0]), group) if ladder.levels else 0


def frontier(certificate: Certificate) -> str:
    """Quality, speed and memory at every level that was tested, dense included: CSV, one line a level and group."""
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(COLUMNS)
    for claim in certificate.claims:
        dense = next((level.dense_score for level in claim.levels if level.dense_score is not None), None)
        begin: list[Any] = [claim.policy, claim.length, claim.group]
        table.writerow([*begin, 0.0, "", 0.0, "", dense, "", claim.dense_seconds, claim.dense_memory])
        for level in claim.levels:
            safe = "yes" if claim.safe is not None and level.sparsity <= claim.safe else "no"
            quality = [level.degradation, level.upper, level.sparse_score, level.items]
            table.writerow([*begin, level.sparsity, safe, *quality, level.seconds_per_item, level.peak_memory])
    return buffer.getvalue()


def contract_text(contract: Contract, proposal: Proposal, certificate: str, made: str) -> str:
    """The contract at the proposed levels, on fresh items, as YAML."""
    left = {"deployments", "gate", "certificate", "sweep", "profiles"}
    data = {key: value for key, value in contract.document.data.items() if key not in left}
    data["deployments"] = {
        policy.name: {phase: _phase(part, proposal.levels[policy.name]) for phase, part in policy.methods().items()}
        for policy in policies(contract)
        if policy.name in proposal.levels
    }
    items = contract.spec.gate.items
    fresh = items.seed + 1
    data["gate"] = {
        **contract.document.data.get("gate", {}),
        "items": {"max": items.max, "seed": fresh},
    }
    data["certificate"] = certificate
    lines = [
        f"{HEADER} from {contract.path.name}, {made}.",
        f"# A fresh gate is predicted to pass with power {proposal.power:.2f}. Its items are fresh (seed {fresh}):",
        "# record their dense outcomes once, with --sparsetol-record.",
        yaml.safe_dump(data, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120),
    ]
    return "\n".join(lines)


def _phase(methods: dict[str, Any], levels: dict[int, float]) -> dict[str, Any]:
    if methods["method"] == DENSE:
        return methods
    even = set(levels.values())
    sparsity: Any = even.pop() if len(even) == 1 else {show_length(length): level for length, level in levels.items()}
    return {"method": methods["method"], "sparsity": sparsity, **methods}


def _refuse_foreign(path: Path) -> None:
    if path.exists() and not path.read_text(encoding="utf-8").startswith(HEADER):
        raise CertificateError(f"{path.name} is there and no sweep wrote it; move it, and run the sweep again")
