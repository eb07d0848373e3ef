"""`--sparsetol-sweep-minutes`: what a sweep claims whose time is up, and that it goes on from there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_sparsetol.cells import MIX
from pytest_sparsetol.contract import DeploymentSpec
from pytest_sparsetol.statistics.fixed_sequences import Claim as Shown
from pytest_sparsetol.sweep import outcome
from pytest_sparsetol.sweep.certificate import Claim, read
from pytest_sparsetol.sweep.finish import _ended
from pytest_sparsetol.sweep.ladder import Ladder, Policy
from tests.plugin import swept as source
from tests.plugin.running import edit

NO_TIME = ("sparsetol.yaml", "--sparsetol-sweep", "--sparsetol-sweep-minutes", "1e-9")


@pytest.fixture
def fresh(recorded: Path, tmp_path_factory: pytest.TempPathFactory, pytester: pytest.Pytester) -> pytest.Pytester:
    """The project before its sweep, current directory of the inner run."""
    made = source.make(recorded, tmp_path_factory.mktemp("to-sweep"))
    shutil.copytree(made, pytester.path, dirs_exist_ok=True)
    return pytester


def claims(folder: Path) -> dict[tuple[str, str], Claim]:
    return {(claim.policy, claim.group): claim for claim in read(folder / "certificate.json").claims}


def test_nothing_is_claimed_without_time_for_a_level(fresh: pytest.Pytester) -> None:
    result = fresh.runpytest_inprocess(*NO_TIME)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["time was up: 3 ladders may show more; run the sweep again to go on"])
    assert not (fresh.path / "answered.txt").exists()
    assert not (fresh.path / "safe.sparsetol.yaml").exists()
    for claim in claims(fresh.path).values():
        assert claim.safe is None
        assert claim.ended == "time was up before 0.01 was run"


def test_what_was_finished_is_claimed_and_the_next_run_goes_on(fresh: pytest.Pytester) -> None:
    edit(fresh, "        with open(", source.STOP, "agreement.py")
    fresh.runpytest_inprocess("sparsetol.yaml", "--sparsetol-sweep", no_reraise_ctrlc=True)
    edit(fresh, source.STOP, "        with open(", "agreement.py")

    cut = fresh.runpytest_subprocess(*NO_TIME)

    assert cut.ret == 0
    found = claims(fresh.path)
    for group in ("single_qa", "multi_qa", "mix"):
        assert found["vertical_slash+quest", group].safe == 0.01, "its two cells were finished"
        assert found["vertical_slash+quest", group].ended == "time was up before 0.5 was run"
        assert found["quest", group].safe is None
        # Nine sequences, none of which is shown to its last level.
        assert found["vertical_slash+quest", group].alpha == pytest.approx(0.05 / 9)

    whole = fresh.runpytest_subprocess("sparsetol.yaml", "--sparsetol-sweep", "--sparsetol-sweep-minutes", "60")

    assert whole.ret == 0
    whole.stdout.no_fnmatch_line("time was up*")
    assert claims(fresh.path)["quest", "mix"].safe == 0.7


def test_a_group_that_time_cut_is_told_from_a_mix_without_a_group() -> None:
    weak = outcome.Tested(
        group="single_qa", sparsity=0.5, verdict="UNTESTABLE", reason="", p_value=1.0, threshold=0.1, dense_score=0.0
    )
    ladder = Ladder(Policy("quest", DeploymentSpec(), whole=True), 256, (0.5, 0.8), {})
    result = outcome.LadderResult(node_id="", policy="quest", length=256, tested=[weak], cut=True)
    nothing = Shown(levels=0, alpha=0.01)

    assert _ended(ladder, result, "multi_qa", nothing) == "time was up before 0.5 was run"
    assert _ended(ladder, result, MIX, nothing) == "the mix was not tested at 0.5: a group has no verdict there"


@pytest.mark.parametrize("minutes", ["0", "-3", "soon", "inf"])
def test_other_than_a_positive_number_is_refused(minutes: str, pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--sparsetol-sweep", f"--sparsetol-sweep-minutes={minutes}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*'{minutes}': a number of minutes above 0 is needed"])


def test_it_needs_a_sweep(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--sparsetol-sweep-minutes", "5")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sparsetol-sweep-minutes is for --sparsetol-sweep, which is not there*"])
