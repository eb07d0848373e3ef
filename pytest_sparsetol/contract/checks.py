"""What must hold between the keys of a contract, and between it and the files that it names."""

from __future__ import annotations

from pathlib import Path

from sparsetol_suites.lengths import show_length
from sparsetol_suites.located_yaml import Loc, nearest

from pytest_sparsetol.contract.contract import Contract
from pytest_sparsetol.contract.phases import check_reach, named_method
from pytest_sparsetol.contract.spec import PhaseSpec
from pytest_sparsetol.errors import CertificateError, MethodError, MissingInputError
from pytest_sparsetol.methods.base import PHASES
from pytest_sparsetol.methods.registry import method_class
from pytest_sparsetol.model_files import context_length
from pytest_sparsetol.statistics.mix_items import MOST_ITEMS


def check_contract(contract: Contract) -> None:
    """Raise `LocatedError` for the first thing that is wrong, with the place, the value, and what would be right."""
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


def _check_paths(contract: Contract) -> None:
    store = Path(contract.spec.baselines, contract.suite.name)
    for part in (*reversed(store.parents), store):
        wrong = _no_folder(contract.path.parent / part)
        if wrong is not None:
            raise contract.document.error(("baselines",), f"baselines: {part} {wrong}, or name another folder")
    folder = contract.path.parent.resolve()
    if not contract.baselines.resolve().is_relative_to(folder):
        raise contract.document.error(
            ("baselines",),
            f"baselines: {contract.spec.baselines!r} leaves the contract's folder; name a folder inside it",
        )
    named = contract.spec.certificate
    if named is not None and not (contract.path.parent / named).resolve().is_relative_to(folder):
        raise contract.document.error(
            ("certificate",), f"certificate: {named!r} leaves the contract's folder; name a file inside it"
        )


def _no_folder(path: Path) -> str | None:
    """Why a path is no folder, and what to do; None where it is one, or nothing is there, so that it can be made."""
    try:
        if path.is_dir() or not (path.is_symlink() or path.exists()):
            return None
    except OSError as error:
        return f"cannot be looked into: {error.strerror or error}; mend that"
    return "is not a folder; move it"


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


def _check_lengths(contract: Contract) -> None:
    try:
        holds = context_length(contract.model)
    except MissingInputError as error:
        raise contract.document.error(("model", "path"), str(error)) from None
    if holds is None:
        return
    answer = max(task.answer_tokens for task in contract.suite.tasks if task.group in contract.spec.mix)
    for index, length in enumerate(contract.spec.lengths):
        if length + answer > holds:
            raise contract.document.error(
                ("lengths", index),
                f"lengths: {show_length(length)} and an answer of up to {answer} tokens exceed the {holds} tokens that "
                f"{contract.model_name} holds",
            )


def _check_deployments(contract: Contract) -> None:
    for name, deployment in contract.spec.deployments.items():
        if deployment.from_question and not (deployment.phase("kv") or deployment.phase("decode")):
            raise contract.document.error(
                ("deployments", name, "decode", "from"),
                f"deployments.{name}.decode: from: question needs a decode or a kv method that acts from there on",
            )
        for phase in PHASES:
            loc: Loc = ("deployments", name, phase)
            _check_dense(contract, loc, getattr(deployment, phase))
            spec = deployment.phase(phase)
            if spec is None:
                continue
            if "from" in (spec.model_extra or {}):
                raise contract.document.error(
                    (*loc, "from"),
                    f"{'.'.join(map(str, loc))}: 'from' belongs to decode: write decode: {{from: question}}; "
                    "a kv method then acts from there on too",
                )
            try:
                named_method(spec, phase)
            except MethodError as error:
                raise contract.document.error((*loc, "method"), f"{'.'.join(map(str, loc))}: {error}") from None
            _check_schedule(contract, loc, spec)
            for length in contract.spec.lengths:
                try:
                    check_reach(deployment, phase, length)
                except MethodError as error:
                    parameter = next((key for key in spec.model_extra or {} if key in str(error)), "sparsity")
                    raise contract.document.error((*loc, parameter), f"{'.'.join(map(str, loc))}: {error}") from None


def _check_dense(contract: Contract, loc: Loc, spec: PhaseSpec | None) -> None:
    """A phase that is dense says so without a sparsity, and one that is named is not blank."""
    where = ".".join(map(str, loc))
    written = contract.document.data["deployments"][loc[1]]
    if spec is None and isinstance(written, dict) and loc[2] in written:
        raise contract.document.error(loc, f"{where} is blank; name a method, or leave {loc[2]} out, which is dense")
    if spec is not None and spec.method == "dense":
        given = [*(["sparsity"] if spec.sparsity is not None else []), *(spec.model_extra or {})]
        if given:
            raise contract.document.error(
                (*loc, given[0]),
                f"{where}: dense attends everything and takes no {given[0]!r}; name a method, or drop it",
            )


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


def _check_items(contract: Contract) -> None:
    from pytest_sparsetol.statistics.planning import items_to_pass

    gate = contract.spec.gate
    for group in contract.spec.mix:
        tasks = contract.suite.of_group(group)
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
                f"{group} at confidence {gate.confidence:g}, even without a single loss; {_enough(needed)}",
            )


def _check_mix(contract: Contract) -> None:
    from pytest_sparsetol.statistics.mix_items import items_for_mix, mix_can_pass

    gate, weights = contract.spec.gate, contract.spec.mix
    sizes = {group: len(contract.suite.of_group(group)) for group in weights}

    def planned(most: int) -> dict[str, int]:
        return {group: most // size * size for group, size in sizes.items()}

    threshold = gate.mix_threshold()
    if not mix_can_pass(planned(gate.items.max), weights, threshold, gate.confidence):
        needed = items_for_mix(planned, weights, threshold, gate.confidence)
        raise contract.document.error(
            ("gate", "items", "max"),
            f"gate.items.max: {gate.items.max} items a group cannot show a loss of at most {threshold:g} of the mix at "
            f"confidence {gate.confidence:g}, even without a single loss; {_enough(needed)}",
        )


def _enough(needed: int | None) -> str:
    """How many items would do, of as many as a contract may ask for."""
    if needed is None or needed > MOST_ITEMS:
        return f"{MOST_ITEMS}, the most, cannot either: allow more loss"
    return f"{needed} can"


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
