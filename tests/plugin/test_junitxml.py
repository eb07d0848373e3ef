"""`--junitxml`: each cell and mix is a test case with its numbers as properties."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest


def test_properties_and_failures(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("sparsetol.yaml", "--junitxml", "junit.xml")

    suite = ElementTree.parse(project.path / "junit.xml").getroot()[0]  # noqa: S314  # written by this run
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("6", "3", "0")
    cases = {f"{case.get('classname')}::{case.get('name')}": case for case in suite.iter("testcase")}
    harsh = cases["sparsetol.yaml.harsh::single_qa[256]"]
    properties = {entry.get("name"): entry.get("value") for entry in harsh.iter("property")}
    assert properties["sparsetol.verdict"] == "FAIL"
    assert 0 < int(str(properties["sparsetol.items"])) < 32
    assert float(str(properties["sparsetol.measured_sparsity.prefill"])) == pytest.approx(0.5, abs=0.01)
    assert "sparsetol.measured_sparsity.decode" not in properties
    failure = harsh.find("failure")
    assert failure is not None
    assert str(failure.get("message")).startswith("FAIL single_qa[256] harsh: lost ")
    mix = {entry.get("name"): entry.get("value") for entry in cases["sparsetol.yaml.safe::mix[256]"].iter("property")}
    assert (mix["sparsetol.verdict"], mix["sparsetol.groups.single_qa"]) == ("PASS", "0.7")
