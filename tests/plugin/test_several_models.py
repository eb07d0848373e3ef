"""`model` as a list: cells of each model by its name, and models set side by side at equal cost."""

from __future__ import annotations

import json
import weakref
from typing import Any, ClassVar

import pytest
from sparsetol_suites.registry import TASKS

from pytest_sparsetol.cli import main
from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.engine import Engine
from pytest_sparsetol.model_files import ModelFiles
from pytest_sparsetol.statistics.limits import lower_limit, upper_limit
from pytest_sparsetol.statistics.sample import collect
from tests.plugin.running import edit
from tests.plugin.several import add_smaller_model

ORDER = [
    "larger/safe::single_qa[256]",
    "larger/safe::multi_qa[256]",
    "larger/harsh::single_qa[256]",
    "larger/harsh::multi_qa[256]",
    "smaller/as-is::single_qa[256]",
    "smaller/as-is::multi_qa[256]",
    "larger/safe::mix[256]",
    "larger/harsh::mix[256]",
    "smaller/as-is::mix[256]",
]


@pytest.fixture
def two(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """The project with two models; the smaller one's dense outcomes are not recorded."""
    monkeypatch.setitem(TASKS, "agreement", "tests.plugin.agreement:Agreement")
    add_smaller_model(project)
    return project


class Watched(Engine):
    """Counts what is still there of earlier engines whenever one is loaded."""

    alive: ClassVar[list[int]] = []
    earlier: ClassVar[list[weakref.ref[Any]]] = []

    def __init__(self, files: ModelFiles, spec: ModelSpec, *, trust_remote_code: bool = False) -> None:
        self.alive.append(sum(known() is not None for known in self.earlier))
        super().__init__(files, spec, trust_remote_code=trust_remote_code)
        self.earlier.append(weakref.ref(self._loaded.model))


def read(project: pytest.Pytester, name: str = "report.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.path / name).read_text())
    return found


def test_two_models_from_recording_to_the_report(two: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    listed = two.runpytest_inprocess("sparsetol.yaml", "--co", "-q")
    assert [line for line in listed.outlines if "::" in line] == [f"sparsetol.yaml::{name}" for name in ORDER]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_sparsetol.runner.Engine", Watched)
        result = two.runpytest_inprocess("sparsetol.yaml", "--sparsetol-record", "--sparsetol-json", "report.json")
    assert Watched.alive == [0, 0], "each model is loaded once, when the other is gone"
    report = read(two)
    cells = {cell["node_id"].partition("::")[2]: cell for cell in (*report["cells"], *report["mix"])}

    assert set(cells) == set(ORDER)
    assert {name.partition("/")[0]: cell["model"] for name, cell in cells.items()} == {
        "larger": "larger",
        "smaller": "smaller",
    }
    assert cells["larger/safe::mix[256]"]["verdict"] == "PASS"
    assert cells["smaller/as-is::mix[256]"]["verdict"] == "PASS"
    assert cells["larger/harsh::single_qa[256]"]["verdict"] == "FAIL"
    shown = result.stdout.str()
    assert "FAIL single_qa[256] larger/harsh: lost " in shown
    assert "models at equal compute" in shown
    check_frontiers(report, shown)

    for part in ("1/2", "2/2"):
        two.runpytest_inprocess(
            "sparsetol.yaml", "--sparsetol-shard", part, "--sparsetol-json", f"shard-{part[0]}.json"
        )
    capsys.readouterr()
    assert main(["merge", "shard-1.json", "shard-2.json", "--json", "merged.json"]) == 1
    assert "Models at equal compute" in capsys.readouterr().out
    assert read(two, "merged.json")["equal_compute"] == report["equal_compute"]


def check_frontiers(report: dict[str, Any], shown: str) -> None:
    """Every figure of the comparison follows from cells and evidence of the same report."""
    cells = {cell["node_id"].partition("::")[2]: cell for cell in report["cells"]}
    evidence = {name.partition("::")[2]: found for name, found in report["evidence"].items()}
    found = {(one["group"], one["axis"]): one for one in report["equal_compute"]}
    assert set(found) == {(group, axis) for group in ("single_qa", "multi_qa", "mix") for axis in ("prefill", "decode")}

    frontier = found["single_qa", "decode"]
    (safe,) = frontier["comparisons"]
    larger, smaller = evidence["larger/safe::single_qa[256]"], evidence["smaller/as-is::single_qa[256]"]
    assert larger["asked"] == smaller["asked"]
    differences = [
        dense - loss - other
        for dense, loss, other in zip(larger["dense"], larger["differences"], smaller["dense"], strict=True)
    ]
    assert (safe["larger"], safe["deployment"], safe["smaller"], safe["paired"]) == ("larger", "safe", "smaller", True)
    assert 0 < sum(smaller["dense"]) / 32 < 1
    assert safe["difference"] == pytest.approx(sum(differences) / 32)
    sample = collect(differences)
    assert safe["lower"] == pytest.approx(lower_limit(sample, 0.025), abs=1e-3)
    assert safe["upper"] == pytest.approx(upper_limit(sample, 0.025), abs=1e-3)
    costs = [cells[f"{name}::single_qa[256]"]["cost"] for name in ("larger/safe", "smaller/as-is")]
    assert safe["ratio"] == pytest.approx(costs[0]["decode_bytes"] / costs[1]["dense_decode_bytes"])

    harsh = next(one for one in found["single_qa", "prefill"]["comparisons"] if one["deployment"] == "harsh")
    assert (harsh["lower"], harsh["upper"], harsh["items"]) == (
        None,
        None,
        cells["larger/harsh::single_qa[256]"]["items"],
    )
    cell = cells["larger/harsh::single_qa[256]"]
    assert harsh["larger_score"] == pytest.approx(
        sum(evidence["larger/harsh::single_qa[256]"]["dense"]) / 32 - cell["degradation"]
    )
    assert cell["cost"]["prefill_flops"] < cell["cost"]["dense_prefill_flops"]
    assert cell["cost"]["decode_bytes"] == cell["cost"]["dense_decode_bytes"]

    mix = next(one for one in found["mix", "decode"]["comparisons"])
    groups = {one["group"]: one["comparisons"][0] for one in found.values() if one["axis"] == "decode"}
    assert mix["difference"] == pytest.approx(
        0.7 * groups["single_qa"]["difference"] + 0.3 * groups["multi_qa"]["difference"]
    )
    assert mix["lower"] < mix["difference"] < mix["upper"]
    # Quest at sparsity 0 reads all tokens and its pages' bounds on top: never on the front.
    points = {(one["model"], one["deployment"]): one for one in frontier["points"]}
    assert set(points) == {("larger", None), ("larger", "safe"), ("smaller", None)}
    assert [name for name, one in points.items() if one["best"]] == [("larger", None), ("smaller", None)]
    assert f"larger/safe at {safe['ratio']:.2f} times the cost of smaller dense" in shown
    assert "no interval, as a cell stopped early" in shown


def test_what_is_not_recorded_of_one_model_is_missing_and_not_stale(two: pytest.Pytester) -> None:
    result = two.runpytest_inprocess("sparsetol.yaml::smaller/as-is", "-k", "single_qa", "--sparsetol-json", "r.json")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (cell,) = read(two, "r.json")["cells"]
    assert cell["verdict"] == "UNTESTED"
    assert "no dense baseline of one[256] of this model in baselines/" in cell["reason"]
    assert read(two, "r.json")["equal_compute"] == []


def test_a_sweep_takes_one_model(two: pytest.Pytester) -> None:
    result = two.runpytest_inprocess("sparsetol.yaml", "--sparsetol-sweep")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["sparsetol.yaml:3:5: model: a sweep takes one*larger, smaller"])


def test_a_release_of_two_models_is_planned_as_a_whole(
    two: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(two, "max_degradation: 0.10", "max_degradation: 0.20")
    capsys.readouterr()

    assert main(["plan", "sparsetol.yaml"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert [line.split()[0] for line in lines if "[256]" in line and "mix" not in line.split()[1]][:6] == [
        "larger/safe", "larger/safe", "larger/harsh", "larger/harsh", "smaller/as-is", "smaller/as-is",
    ]  # fmt: skip
    assert any("6 cells and 3 mixes" in line for line in lines)
    assert main(["lint", "sparsetol.yaml"]) == 0
    assert "for larger, smaller" in capsys.readouterr().out
