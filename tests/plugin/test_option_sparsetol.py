"""`--sparsetol`: contracts are collected only where someone asked for them."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def with_a_unit_test(project: pytest.Pytester) -> pytest.Pytester:
    project.makepyfile(test_unit="def test_unit(): pass")
    return project


def collected(result: pytest.RunResult) -> list[str]:
    return [line.strip("<>").split()[1] for line in map(str.strip, result.outlines) if line.startswith("<CellItem")]


def test_a_plain_run_leaves_contracts_alone_and_says_so(with_a_unit_test: pytest.Pytester) -> None:
    result = with_a_unit_test.runpytest_inprocess()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["sparsetol: not collected without being named: sparsetol.yaml (name the file, or pass --sparsetol)"]
    )


@pytest.mark.parametrize("arguments", [["--sparsetol"], ["sparsetol.yaml"], ["."], ["test_unit.py", "sparsetol.yaml"]])
def test_contracts_are_collected_where_named(with_a_unit_test: pytest.Pytester, arguments: list[str]) -> None:
    result = with_a_unit_test.runpytest_inprocess("--co", *arguments)

    assert collected(result) == [
        "single_qa[256]",
        "multi_qa[256]",
        "single_qa[256]",
        "multi_qa[256]",
        "mix[256]",
        "mix[256]",
    ]
    assert "not collected" not in result.stdout.str()


@pytest.mark.parametrize("named", ["link.sparsetol.yaml", "linked/sparsetol.yaml", "linked", "linked/../linked"])
def test_contracts_are_collected_through_links(project: pytest.Pytester, named: str) -> None:
    shutil.copytree(project.path, project.path / "real")
    (project.path / "linked").symlink_to("real")
    (project.path / "link.sparsetol.yaml").symlink_to("sparsetol.yaml")

    assert len(collected(project.runpytest_inprocess("--co", named))) == 6


def test_the_ini_file_can_say_always(with_a_unit_test: pytest.Pytester) -> None:
    with_a_unit_test.makeini("[pytest]\nsparsetol_collect = always\n")

    assert len(collected(with_a_unit_test.runpytest_inprocess("--co"))) == 6


def test_the_ini_file_can_say_nothing_else(with_a_unit_test: pytest.Pytester) -> None:
    with_a_unit_test.makeini("[pytest]\nsparsetol_collect = sometimes\n")

    result = with_a_unit_test.runpytest_inprocess()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*sparsetol_collect = 'sometimes': named or always is needed"])


def test_other_names_of_contracts(with_a_unit_test: pytest.Pytester) -> None:
    (with_a_unit_test.path / "sparsetol.yaml").rename(with_a_unit_test.path / "gate.yml")
    with_a_unit_test.makeini("[pytest]\nsparsetol_files = gate.yml\n")

    assert len(collected(with_a_unit_test.runpytest_inprocess("--co", "gate.yml"))) == 6


def test_any_name_that_ends_in_sparsetol_yaml(with_a_unit_test: pytest.Pytester) -> None:
    (with_a_unit_test.path / "sparsetol.yaml").rename(with_a_unit_test.path / "big.sparsetol.yaml")

    assert len(collected(with_a_unit_test.runpytest_inprocess("--co", "big.sparsetol.yaml"))) == 6
