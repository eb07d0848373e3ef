"""`--sparsetol-sweep`: what is claimed, what is written, and what a run that was stopped or split leaves."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_sparsetol.sweep.certificate import Certificate, read
from tests.plugin import swept as source
from tests.plugin.running import edit


def sweep(folder: Path, *arguments: str) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "sparsetol.yaml", "--sparsetol-sweep", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def claims(certificate: Certificate) -> dict[tuple[str, str], float | None]:
    return {(claim.policy, claim.group): claim.safe for claim in certificate.claims}


@pytest.fixture(scope="module")
def source_folder(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source.make(recorded, tmp_path_factory.mktemp("to-sweep"))


@pytest.fixture(scope="module")
def done(source_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The project after a whole sweep, and what pytest showed."""
    folder = tmp_path_factory.mktemp("swept")
    shutil.copytree(source_folder, folder, dirs_exist_ok=True)
    code, shown = sweep(folder)
    assert code == 0, shown
    return folder, shown


@pytest.fixture
def fresh(source_folder: Path, pytester: pytest.Pytester) -> pytest.Pytester:
    """The project before its sweep, current directory of the inner run."""
    shutil.copytree(source_folder, pytester.path, dirs_exist_ok=True)
    return pytester


@pytest.fixture
def copied(done: tuple[Path, str], pytester: pytest.Pytester) -> pytest.Pytester:
    """The project after its sweep, current directory of the inner run."""
    shutil.copytree(done[0], pytester.path, dirs_exist_ok=True)
    return pytester


def test_the_claims_are_what_the_evidence_shows(done: tuple[Path, str]) -> None:
    certificate = read(done[0] / "certificate.json")

    found = claims(certificate)
    assert len(found) == certificate.sequences == 9, "two phases together and each alone, two groups and the mix"
    for group in ("single_qa", "multi_qa", "mix"):
        assert found["quest", group] == 0.7, "decoding leaves the first word alone, and one page is out of reach"
        assert found["vertical_slash", group] == found["vertical_slash+quest", group] == 0.01
    quest = next(claim for claim in certificate.claims if claim.policy == "quest")
    assert quest.ended.startswith("0.995 is out of reach: quest cannot reach sparsity 0.995 at 256 tokens")
    slash = next(c for c in certificate.claims if (c.policy, c.group) == ("vertical_slash", "single_qa"))
    assert [level.sparsity for level in slash.levels] == [0.01, 0.5], "nothing runs above the level that is not shown"
    assert slash.levels[1].verdict == "FAIL"
    assert slash.ended.startswith("0.5 is FAIL: ")
    # Holm: the three sequences of quest are complete, so that the others share alpha.
    assert slash.alpha == pytest.approx(0.05 / 6)
    assert certificate.effort.items < certificate.effort.grid_items == 32 * 2 * 3 * 3


def test_the_summary_names_claims_and_files(done: tuple[Path, str]) -> None:
    _, shown = done

    assert "sparsetol.yaml: largest sparsity shown safe, all together at confidence 0.95" in shown
    assert "written: certificate.json, frontier.csv, safe.sparsetol.yaml" in shown
    assert "sparsetol.yaml: predicting at which levels a fresh gate passes" in shown
    assert "3 passed" in shown


def test_the_frontier_has_dense_and_every_level(done: tuple[Path, str]) -> None:
    with (done[0] / "frontier.csv").open() as file:
        rows = list(csv.DictReader(file))

    slash = [row for row in rows if (row["policy"], row["group"]) == ("vertical_slash", "single_qa")]
    assert [float(row["sparsity"]) for row in slash] == [0.0, 0.01, 0.5]
    assert all(float(row["seconds_per_item"]) > 0 for row in slash)
    assert [row["shown_safe"] for row in slash] == ["", "yes", "no"]
    assert float(slash[2]["loss"]) > float(slash[1]["loss"])


def test_the_written_contract_is_green_on_fresh_items(copied: pytest.Pytester) -> None:
    contract = yaml.safe_load((copied.path / "safe.sparsetol.yaml").read_text())
    assert contract["certificate"] == "certificate.json"
    assert contract["gate"]["items"] == {"max": 32, "seed": 1}
    assert list(contract["deployments"]) == ["vertical_slash+quest"], "phases alone are no deployment of the team"

    run = copied.runpytest_inprocess("safe.sparsetol.yaml", "--sparsetol-record")

    assert run.ret == 0
    run.assert_outcomes(passed=3)


def test_a_contract_outside_its_certificate_is_one_error_with_its_line(copied: pytest.Pytester) -> None:
    edit(copied, "sparsity: 0.01, page_size: 1", "sparsity: 0.6, page_size: 1", "safe.sparsetol.yaml")

    result = copied.runpytest_inprocess("safe.sparsetol.yaml")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["safe.sparsetol.yaml:*: deployments.vertical_slash+quest.decode: sparsity 0.6 lies outside certificate.json,*"]
    )


def test_other_weights_void_the_certificate(copied: pytest.Pytester) -> None:
    weights = copied.path / "model" / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)

    result = copied.runpytest_inprocess("safe.sparsetol.yaml", "-k", "single_qa")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["ERROR single_qa*: certificate certificate.json is void here: other weights; sweep again*"]
    )


def test_a_second_sweep_runs_nothing_twice(copied: pytest.Pytester) -> None:
    (copied.path / "answered.txt").unlink()
    before = read(copied.path / "certificate.json")

    result = copied.runpytest_inprocess("sparsetol.yaml", "--sparsetol-sweep")

    assert result.ret == 0
    answered = (copied.path / "answered.txt").read_text().split()
    assert len(answered) == 3 * 2 * 4, "only the dense items that are timed"
    assert claims(read(copied.path / "certificate.json")) == claims(before)


def test_a_run_that_is_stopped_goes_on_from_its_finished_cells(fresh: pytest.Pytester, done: tuple[Path, str]) -> None:
    edit(fresh, "        with open(", source.STOP, "agreement.py")

    result = fresh.runpytest_inprocess("sparsetol.yaml", "--sparsetol-sweep", no_reraise_ctrlc=True)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert not (fresh.path / "certificate.json").exists()
    result.stdout.fnmatch_lines(["*no certificate, 0 of 3 ladders were climbed (not *", "*finished cells are kept.*"])
    edit(fresh, source.STOP, "        with open(", "agreement.py")
    (fresh.path / "answered.txt").unlink()

    again = fresh.runpytest_subprocess("sparsetol.yaml", "--sparsetol-sweep")

    assert again.ret == 0
    whole = (done[0] / "answered.txt").read_text().split()
    rest = (fresh.path / "answered.txt").read_text().split()
    assert len(rest) == len(whole) - 64, "two cells of 32 items were finished"
    assert claims(read(fresh.path / "certificate.json")) == claims(read(done[0] / "certificate.json"))


def test_two_workers_find_the_same(fresh: pytest.Pytester, done: tuple[Path, str]) -> None:
    result = fresh.runpytest_subprocess("sparsetol.yaml", "--sparsetol-sweep", "-n", "2")

    assert result.ret == 0
    result.assert_outcomes(passed=3)

    def evidence(path: Path) -> list[dict[str, Any]]:
        timed = {"seconds_per_item", "dense_seconds"}
        plain = read(path).model_dump()["claims"]
        for claim in plain:
            claim["levels"] = [{k: v for k, v in level.items() if k not in timed} for level in claim["levels"]]
        return [{k: v for k, v in claim.items() if k not in timed} for claim in plain]

    assert evidence(fresh.path / "certificate.json") == evidence(done[0] / "certificate.json")


def test_node_ids_name_policies_and_lengths(fresh: pytest.Pytester) -> None:
    result = fresh.runpytest_inprocess("sparsetol.yaml", "--sparsetol-sweep", "--co", "-q")

    assert [line for line in result.outlines if "::" in line] == [
        "sparsetol.yaml::vertical_slash+quest::sweep[256]",
        "sparsetol.yaml::vertical_slash::sweep[256]",
        "sparsetol.yaml::quest::sweep[256]",
    ]


def test_a_part_of_the_ladders_makes_no_certificate(copied: pytest.Pytester) -> None:
    (copied.path / "certificate.json").unlink()

    result = copied.runpytest_inprocess("sparsetol.yaml", "--sparsetol-sweep", "-k", "quest and not slash")

    result.assert_outcomes(passed=1, deselected=2)
    assert not (copied.path / "certificate.json").exists()
    result.stdout.fnmatch_lines(["*no certificate, 1 of 3 ladders were climbed (not vertical_slash+quest::sweep*"])


def test_a_missing_baseline_fails_the_ladder(fresh: pytest.Pytester) -> None:
    shutil.rmtree(fresh.path / "baselines")

    result = fresh.runpytest_inprocess("sparsetol.yaml", "--sparsetol-sweep", "-k", "quest and not slash")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["UNTESTED sweep?256? quest: no dense baseline of one*record it with --sparsetol-record"]
    )


@pytest.mark.parametrize(
    ("right", "other", "message"),
    [
        ("items: {max: 32, seed: 0}", "items: {max: 10, seed: 0}", "10 items show nothing in single_qa, even without"),
        ("levels: [0.01, 0.5, 0.7, 0.995]", "levels: [0.5, 0.01]", "do not ascend from above 0"),
        (
            "levels: [0.01, 0.5, 0.7, 0.995]",
            "levels: [0.999]",
            "needs one that is not dense and reaches the lowest level",
        ),
        ("gate:", "certificate: certificate.json\ngate:", "certificate.json cannot be read"),
    ],
)
def test_what_cannot_be_swept_is_one_error(fresh: pytest.Pytester, right: str, other: str, message: str) -> None:
    edit(fresh, right, other)

    result = fresh.runpytest_inprocess("sparsetol.yaml", "--sparsetol-sweep")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"sparsetol.yaml:*{message}*"])


def test_a_contract_that_cites_a_certificate_is_not_swept(copied: pytest.Pytester) -> None:
    result = copied.runpytest_inprocess("safe.sparsetol.yaml", "--sparsetol-sweep")

    result.stdout.fnmatch_lines(["safe.sparsetol.yaml:*certificate: a contract that cites one is not swept*"])


def test_a_contract_of_the_teams_own_is_not_overwritten(copied: pytest.Pytester) -> None:
    own = copied.path / "safe.sparsetol.yaml"
    own.write_text(own.read_text().removeprefix("#"))
    before = own.read_text()

    result = copied.runpytest_inprocess("sparsetol.yaml", "--sparsetol-sweep")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*safe.sparsetol.yaml is there and no sweep wrote it*"])
    assert own.read_text() == before


def test_it_takes_no_gate_report(fresh: pytest.Pytester) -> None:
    result = fresh.runpytest_inprocess("sparsetol.yaml", "--sparsetol-sweep", "--sparsetol-json", "report.json")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sparsetol-json is a gate's report; a sweep writes certificate.json"])


def test_the_certificate_can_be_shown_and_a_changed_one_is_refused(copied: pytest.Pytester) -> None:
    shown = copied.run(sys.executable, "-m", "pytest_sparsetol.cli", "show", "certificate.json")

    assert shown.ret == 0
    shown.stdout.fnmatch_lines(
        [
            "Largest sparsity shown safe",
            "model *weights *float32*",
            "void with*other weights*",
            "quest?256? mix: 0.995 is out*",
        ]
    )
    path = copied.path / "certificate.json"
    data = json.loads(path.read_text())
    data["claims"][0]["safe"] = 0.95
    path.write_text(json.dumps(data))

    changed = copied.run(sys.executable, "-m", "pytest_sparsetol.cli", "show", "certificate.json")

    assert changed.ret == 1
    changed.stderr.fnmatch_lines(["certificate certificate.json was changed after it was written: *"])
