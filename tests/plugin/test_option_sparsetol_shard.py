"""`--sparsetol-shard` and `sparsetol merge`: the verdicts of the whole run, from parts that ran anywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from safetensors.torch import save_file

from pytest_sparsetol.cli import main
from pytest_sparsetol.distributed.shards import assign
from tests.plugin.running import edit

SMALL_AND_LARGE = """\
model:
  - {path: small, dtype: float32, deployments: [harsh]}
  - {path: model, dtype: float32, deployments: [safe]}
"""


def shard(project: pytest.Pytester, part: str, *arguments: str) -> pytest.RunResult:
    """Run one part; its report is `shard-PART.json`."""
    report = f"shard-{part.replace('/', '-')}.json"
    return project.runpytest_inprocess(
        "sparsetol.yaml", "--sparsetol-shard", part, "--sparsetol-json", report, *arguments
    )


def reports(project: pytest.Pytester) -> list[str]:
    return [str(path) for path in sorted(project.path.glob("shard-*.json"))]


def decided(path: Path) -> dict[str, Any]:
    """Cells and mixes of a report by node id, without times."""
    report = json.loads(path.read_text())
    return {
        entry["node_id"]: {name: value for name, value in entry.items() if name not in {"seconds", "seconds_per_item"}}
        for entry in (*report["cells"], *report["mix"])
    }


def test_shards_merged_decide_as_one_run(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "whole.json")
    for part in ("1/3", "2/3", "3/3"):
        result = shard(project, part)
        assert not any("mix[" in line for line in result.outlines if line.startswith(("FAILED", "PASSED")))
        assert f"shard {part}: " in result.stdout.str()
    capsys.readouterr()

    status = main(["merge", *reports(project), "--json", "merged.json", "--junitxml", "merged.xml"])

    assert status == 1
    assert decided(project.path / "merged.json") == decided(project.path / "whole.json")
    said = capsys.readouterr().out
    assert "FAILED sparsetol.yaml::harsh::mix[256] - FAIL mix[256] harsh: lost " in said
    assert "sparsetol.yaml::harsh: nothing passed, so it is red" in said
    suite = ElementTree.parse(project.path / "merged.xml").getroot()[0]  # noqa: S314  # written a line above
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "3", "0")
    mix = next(case for case in suite if case.get("name") == "mix[256]" and "safe" in str(case.get("classname")))
    assert {entry.get("name"): entry.get("value") for entry in mix[0]}["sparsetol.verdict"] == "PASS"


def test_a_safe_deployment_is_green_when_merged(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("1/2", "2/2"):
        assert shard(project, part, "-k", "safe").ret == pytest.ExitCode.OK
    capsys.readouterr()

    assert main(["merge", *reports(project)]) == 0
    assert "PASS     safe        mix[256]" in capsys.readouterr().out
    assert main(["merge", *reports(project), "--json", str(project.path)]) == 1
    assert f"{project.path} cannot be written: Is a directory" in capsys.readouterr().err


def test_a_missing_shard_is_red_and_named(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    shard(project, "1/2", "-k", "safe")
    capsys.readouterr()

    assert main(["merge", *reports(project), "--json", "merged.json"]) == 1
    merged = decided(project.path / "merged.json")
    (lost,) = [cell for cell in merged.values() if cell["reason"] == "shard 2/2 is missing"]
    assert lost["verdict"] == "UNTESTED"
    mix = merged["sparsetol.yaml::safe::mix[256]"]
    assert (mix["verdict"], mix["degradation"]) == ("UNTESTED", None)
    assert f"{lost['group']}: shard 2/2 is missing" in mix["reason"]


@pytest.mark.parametrize("option", ["--json", "--junitxml"])
def test_a_shards_report_is_not_written_over(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    shard(project, "1/2", "-k", "safe")
    shutil.copy("shard-1-2.json", "copy.json")
    capsys.readouterr()

    assert main(["merge", option, "shard-1-2.json", "copy.json"]) == 1
    assert f"{option} shard-1-2.json is a shard's report, which would be lost" in capsys.readouterr().err
    assert Path("shard-1-2.json").read_text() == Path("copy.json").read_text()


def test_deselected_groups_leave_the_merged_mix_untested(project: pytest.Pytester) -> None:
    for part in ("1/2", "2/2"):
        shard(project, part, "-k", "not multi")

    assert main(["merge", *reports(project), "--json", "merged.json"]) == 1
    mix = decided(project.path / "merged.json")["sparsetol.yaml::safe::mix[256]"]
    assert mix["verdict"] == "UNTESTED"
    assert mix["reason"].endswith("multi_qa: it was deselected")


def test_workers_in_a_shard_and_one_that_dies(project: pytest.Pytester) -> None:
    edit(
        project,
        "        if not reply.strip():",
        "        if item.id.startswith('four'):\n            __import__('os')._exit(1)\n        if not reply.strip():",
        "agreement.py",
    )
    for part in ("1/2", "2/2"):
        report = f"shard-{part[0]}.json"
        options = ("-n", "1", "--max-worker-restart=0", "-k", "safe", "--sparsetol-json", report)
        project.runpytest_subprocess("sparsetol.yaml", "--sparsetol-shard", part, *options)

    assert main(["merge", *reports(project), "--json", "merged.json"]) == 1
    merged = decided(project.path / "merged.json")
    assert merged["sparsetol.yaml::safe::multi_qa[256]"]["reason"] == "the worker that ran it died"
    assert merged["sparsetol.yaml::safe::single_qa[256]"]["verdict"] == "PASS"
    assert merged["sparsetol.yaml::safe::mix[256]"]["verdict"] == "ERROR"


def test_reports_that_do_not_go_together(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "whole.json", "-k", "safe")
    shard(project, "1/2", "-k", "safe")
    shard(project, "1/3", "-k", "safe")
    (project.path / "copy.json").write_text((project.path / "shard-1-2.json").read_text())
    project.runpytest_inprocess(
        "sparsetol.yaml", "--sparsetol-shard", "2/2", "--sparsetol-json", "wide.json", "-k", "safe",
        "--sparsetol-profile", "wide",
    )  # fmt: skip
    project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-shard", "2/2", "--sparsetol-json", "more.json")
    capsys.readouterr()
    for other, text in (
        ("whole.json", "whole.json is no shard's report"),
        ("shard-1-3.json", "shard-1-2.json is one of 2 shards, shard-1-3.json one of 3"),
        ("copy.json", "shard-1-2.json and copy.json are both shard 1/2"),
        ("wide.json", "ran different contracts, or different profiles of one"),
        ("more.json", "are of different runs: their cells are not the same"),
    ):
        assert main(["merge", "shard-1-2.json", other]) == 1
        assert text in capsys.readouterr().err


def test_parts_without_a_cell_are_refused(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    shard(project, "1/1", "-k", "gone")
    capsys.readouterr()
    assert main(["merge", *reports(project)]) == 1
    assert "shard-1-1.json holds no cell: no cell was collected or selected" in capsys.readouterr().err

    edit(project, "suite:", "suit:")
    shard(project, "1/1")
    capsys.readouterr()
    assert main(["merge", *reports(project)]) == 1
    assert (
        "shard-1-1.json holds no cell: sparsetol.yaml was not collected: sparsetol.yaml:3:1: "
        in capsys.readouterr().err
    )


def test_what_went_wrong_in_a_part_is_kept_and_red(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    project.makepyfile(test_unit="import gone")
    options = ("test_unit.py", "--continue-on-collection-errors")
    shard(project, "1/2", "-k", "safe")
    shard(project, "2/2", "-k", "safe", *options)
    capsys.readouterr()

    assert main(["merge", *reports(project), "--json", "merged.json"]) == 1

    (error,) = json.loads((project.path / "merged.json").read_text())["errors"]
    assert error.startswith("shard 2/2: test_unit.py was not collected: ")
    said = capsys.readouterr().out
    assert error in said
    assert "PASS     safe        mix[256]" in said
    assert "FAILED" not in said


def test_mixes_and_lost_cells_come_from_any_report_that_has_them(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("1/3", "2/3"):
        shard(project, part, "-k", "safe")
    first = project.path / "shard-1-3.json"
    report = json.loads(first.read_text())
    own = [cell for cell in report["cells"] if report["shard"]["owners"][cell["node_id"]] == 1]
    first.write_text(json.dumps({**report, "mix": [], "cells": own}))
    capsys.readouterr()

    assert main(["merge", *reports(project), "--json", "merged.json"]) == 0
    assert decided(project.path / "merged.json")["sparsetol.yaml::safe::mix[256]"]["verdict"] == "PASS"

    (project.path / "shard-2-3.json").unlink()
    capsys.readouterr()
    assert main(["merge", str(first)]) == 1
    assert "no report tells of sparsetol.yaml::safe::" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["3/2", "0/2", "2", "a/b", "1/-2"])
def test_a_part_that_cannot_be(project: pytest.Pytester, text: str) -> None:
    result = project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-json", "r.json", f"--sparsetol-shard={text}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--sparsetol-shard '{text}': " in result.stderr.str()


def test_a_report_is_needed(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("sparsetol.yaml", "--sparsetol-shard", "1/2")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--sparsetol-shard needs --sparsetol-json PATH" in result.stderr.str()


def test_parts_cost_about_the_same_and_every_cell_has_one() -> None:
    costs = {f"cell {number}": float(cost) for number, cost in enumerate([8, 1, 1, 1, 1, 4, 4, 2, 2])}
    owners = assign(costs, 3)

    assert list(owners) == list(costs)
    loads = [sum(costs[cell] for cell in costs if owners[cell] == part) for part in (1, 2, 3)]
    assert loads == [8, 8, 8]
    assert set(assign({"one": 1.0}, 4).values()) == {1}


def test_parts_weigh_the_size_of_models(project: pytest.Pytester) -> None:
    """Two cells of a model and two of one of a few parameters, in three parts: the small ones belong together."""
    small = project.path / "small"
    shutil.copytree(project.path / "model", small)
    save_file({"only": torch.zeros(3, 5)}, small / "model.safetensors")
    edit(project, "model: {path: model, dtype: float32, device: cpu}\n", SMALL_AND_LARGE)

    parts = [
        {
            line
            for line in project.runpytest_inprocess(
                "sparsetol.yaml", "--co", "-q", "--sparsetol-json", "r.json", "--sparsetol-shard", f"{part}/3"
            ).outlines
            if "::" in line
        }
        for part in (1, 2, 3)
    ]

    name = "sparsetol.yaml::{}[256]".format
    assert sorted(parts, key=min) == [
        {name("model/safe::multi_qa")},
        {name("model/safe::single_qa")},
        {name("small/harsh::multi_qa"), name("small/harsh::single_qa")},
    ]
