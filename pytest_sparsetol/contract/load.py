"""From a file to checked contracts, one for each of its models."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparsetol_suites.located_yaml import Document, LocatedError, load, nearest

from pytest_sparsetol.contract.checks import check_contract
from pytest_sparsetol.contract.contract import Contract
from pytest_sparsetol.contract.spec import ContractSpec
from pytest_sparsetol.contract.values import NAME
from pytest_sparsetol.contract.view import View, overlay
from pytest_sparsetol.errors import SparsetolError
from pytest_sparsetol.model_files import ModelFiles, locate

if TYPE_CHECKING:
    from sparsetol_suites.suite import Suite


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
        return (_one_model(document, profile),)
    if not written:
        raise document.error(("model",), "model: an empty list; name a model, or several")
    if len(written) > 1 and "certificate" in document.data:
        raise document.error(
            ("certificate",), "certificate: it is of one model; a contract that lists several cannot cite one"
        )
    views = [
        View(document.path, {**document.data, "model": entry}, document.root, model=place)
        for place, entry in enumerate(written)
    ]
    contracts = tuple(_one_model(view, profile) for view in views)
    _check_all_gated(contracts)
    return contracts if len(contracts) == 1 else tuple(_tell_apart(contracts))


def _one_model(document: Document, profile: str | None) -> Contract:
    """The contract as one model sees it; raise `LocatedError` where the file has no such profile."""
    plain = _checked(document)
    if profile is not None and profile not in plain.spec.profiles:
        raise document.error(("profiles",), f"no profile {profile!r}; {nearest(profile, plain.spec.profiles)}")
    chosen = plain
    for name, changes in plain.spec.profiles.items():
        overlaid = _checked(overlay(document, name, changes))
        if name == profile:
            chosen = overlaid
    return chosen


def _checked(document: Document) -> Contract:
    spec = _own_deployments(document, document.validate(ContractSpec))
    contract = Contract(document.path, spec, _suite(document, spec), _model(document, spec), document)
    check_contract(contract)
    return contract


def _own_deployments(document: Document, spec: ContractSpec) -> ContractSpec:
    """The deployments that the model names, in the order of the file."""
    wanted = spec.model.deployments
    profile = document.profile if isinstance(document, View) else None
    if wanted is not None and not (isinstance(document, View) and document.model is not None):
        raise document.error(
            ("model", "deployments"), "model.deployments: a model alone is gated under all of a contract's deployments"
        )
    for place, name in enumerate(wanted or ()):
        # The file is checked before its profiles, which may drop some.
        if name not in spec.deployments and profile is None:
            raise document.error(
                ("model", "deployments", place),
                f"model.deployments: no deployment {name!r}; {nearest(name, spec.deployments)}",
            )
    kept = {name: part for name, part in spec.deployments.items() if wanted is None or name in wanted}
    if not kept:
        raise document.error(("model", "deployments"), f"model.deployments: profile {profile!r} has none of them")
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
