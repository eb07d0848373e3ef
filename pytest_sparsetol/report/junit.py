"""Results as JUnit properties: flat names, scalar values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pytest_sparsetol.baseline import write_atomically
from pytest_sparsetol.report.outcome import Outcome
from pytest_sparsetol.result import CellResult, MixResult


def properties(result: CellResult | MixResult) -> Iterator[tuple[str, Any]]:
    """`sparsetol.verdict`, `sparsetol.measured_sparsity.decode` and so on; what was not measured is left out."""
    for name, value in dataclasses.asdict(result).items():
        if name == "node_id":
            continue
        yield from _flat(f"sparsetol.{name}", value)


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flat(f"{name}.{key}", entry)
    elif value is not None and not isinstance(value, list):
        yield name, value


def write_junit(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write results of merged shards as pytest writes those of a run: names, properties, one failure or skip each."""
    suite = ElementTree.Element("testsuite", name="sparsetol", tests=str(len(outcomes)))
    for kind, name in (("failed", "failures"), ("skipped", "skipped")):
        suite.set(name, str(sum(outcome.kind == kind for outcome in outcomes)))
    for outcome in outcomes:
        file, deployment, name = outcome.result.node_id.rsplit("::", 2)
        seconds = outcome.result.seconds if isinstance(outcome.result, CellResult) else 0.0
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"{file}.{deployment}", name=name, time=f"{seconds:.3f}"
        )
        listed = ElementTree.SubElement(case, "properties")
        for key, value in properties(outcome.result):
            ElementTree.SubElement(listed, "property", name=key, value=str(value))
        if outcome.kind != "passed":
            first, _, rest = outcome.text.partition("\n")
            tag = "failure" if outcome.kind == "failed" else "skipped"
            ElementTree.SubElement(case, tag, message=first).text = rest or first
    root = ElementTree.Element("testsuites")
    root.append(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n")
