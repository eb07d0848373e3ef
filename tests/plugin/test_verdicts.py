"""What a gate decides, from end to end: the real plugin, engine, methods and store on a tiny random model."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.plugin.agreement import QUESTION
from tests.plugin.running import edit, run

TWO_LOSSES = """index = int(item.id.rpartition("/")[2])
        return Score(float(reply == wanted.get(key(item.prompt)) and index not in (3, 20)))"""


def test_a_policy_that_changes_nothing_passes(project: pytest.Pytester) -> None:
    result, cells = run(project, "-k", "safe")

    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=3, deselected=3)
    cell = cells["safe::single_qa[256]"]
    assert (cell["verdict"], cell["degradation"], cell["items"], cell["dense_score"]) == ("PASS", 0.0, 32, 1.0)
    assert cell["upper"] == pytest.approx(1 - 0.05 ** (1 / 32))
    assert cells["safe::mix[256]"]["verdict"] == "PASS"


def test_a_policy_that_changes_answers_fails_with_the_verdict_first(project: pytest.Pytester) -> None:
    result, cells = run(project, "-k", "harsh")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    cell = cells["harsh::single_qa[256]"]
    assert cell["verdict"] == "FAIL"
    assert cell["lower"] > 0.1
    assert cell["measured_sparsity"]["prefill"] == pytest.approx(0.5, abs=0.01)
    assert cell["measured_sparsity"]["decode"] is None
    assert cells["harsh::mix[256]"]["verdict"] == "FAIL"
    lost, sparse = (f"{100 * cell[name]:.1f}" for name in ("degradation", "sparse_score"))
    assert cell["items"] < 32, "a loss as large as this is certain early"
    headline = (
        f"FAIL single_qa[256] harsh: lost {lost} points "
        f"(dense 100.0, sparse {sparse}, allowed 10.0, n={cell['items']} of 32)"
    )
    assert headline in result.outlines
    assert any(line.startswith("FAILED sparsetol.yaml::harsh::single_qa[256] - FAIL") for line in result.outlines)
    assert "Traceback" not in result.stdout.str()


def test_the_question_can_run_under_the_policy(project: pytest.Pytester) -> None:
    asked = "  asked:\n    kv: {method: snapkv, sparsity: 0.0}\n    decode: {from: question}\n  harsh:"
    edit(project, "  harsh:", asked)

    _, cells = run(project, "-k", "(asked or safe) and single")

    cell, usual = cells["asked::single_qa[256]"], cells["safe::single_qa[256]"]
    assert (cell["verdict"], cell["degradation"]) == ("PASS", 0.0)
    assert (cell["decode_from"], usual["decode_from"]) == ("question", "answer")
    # Each token of the question is a step, and so is the answer's first, which prefill gives else.
    assert cell["sparse_steps"] == pytest.approx(usual["sparse_steps"] + QUESTION)
    assert cell["evidence_recall"]["kv"] == {
        "mean": 1.0, "best": 1.0, "facts": 32,
        "by_order": [{"mean": 1.0, "best": 1.0, "facts": 32}],
        "by_depth": [{"mean": 1.0, "best": 1.0, "facts": 32}, None, None, None],
    }  # fmt: skip
    assert cell["evidence_recall"]["prefill"] is cell["evidence_recall"]["decode"] is None
    assert usual["evidence_recall"]["decode"]["mean"] == 1.0


def test_a_failure_says_what_was_kept_of_the_evidence(project: pytest.Pytester) -> None:
    result, cells = run(project, "-k", "harsh and single")

    recall = cells["harsh::single_qa[256]"]["evidence_recall"]["prefill"]
    assert 0 < recall["mean"] <= recall["best"] <= 1
    line = f"  evidence     prefill kept {recall['mean']:.2f} of the needed tokens (best head {recall['best']:.2f})"
    assert line in result.outlines


def test_too_few_items_are_inconclusive_and_the_reason_says_what_would_decide(project: pytest.Pytester) -> None:
    # Two answers count as wrong that were right when recorded: a limit of 15 points in 32 items.
    edit(project, "return Score(float(reply == wanted.get(key(item.prompt))))", TWO_LOSSES, "agreement.py")

    result, cells = run(project, "-k", "safe and single")

    cell = cells["safe::single_qa[256]"]
    assert cell["verdict"] == "INCONCLUSIVE"
    assert cell["degradation"] == pytest.approx(2 / 32)
    assert re.search(r"n=32\); about \d+ more items would decide", cell["reason"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_dense_model_at_floor_is_untestable(project: pytest.Pytester) -> None:
    shutil.rmtree(project.path / "baselines")
    (project.path / "references.json").write_text("{}")

    result, cells = run(project, "-k", "safe", "--sparsetol-record=missing")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    cell = cells["safe::single_qa[256]"]
    assert cell["verdict"] == "UNTESTABLE"
    assert cell["reason"].startswith("dense scores 0.0 (chance 0.0): a total collapse would cost 0.0 points")
    mix = cells["safe::mix[256]"]
    assert mix["verdict"] == "UNTESTABLE"
    assert "single_qa (70 % of traffic) is UNTESTABLE" in mix["reason"]


def test_a_dense_model_under_its_minimum_fails(project: pytest.Pytester) -> None:
    edit(project, "gate:\n", "gate:\n  min_dense: {multi_qa: 1.0}\n")
    shutil.rmtree(project.path / "baselines")
    (project.path / "references.json").write_text("{}")

    _, cells = run(project, "-k", "safe and multi", "--sparsetol-record=missing")

    assert cells["safe::multi_qa[256]"]["verdict"] == "FAIL"
    assert cells["safe::multi_qa[256]"]["reason"] == "dense scores 0.0, under its minimum of 100.0"


def test_answers_too_short_for_a_decode_policy_are_not_exercised(project: pytest.Pytester) -> None:
    edit(project, "task: agreement, data", "task: agreement, tokens: 3, data", "suite.yaml")
    edit(project, "Score(float(reply == wanted.get(key(item.prompt))))", "Score(1.0)", "agreement.py")

    _, cells = run(project, "-k", "safe and single", "--sparsetol-record=missing")

    cell = cells["safe::single_qa[256]"]
    assert cell["verdict"] == "NOT_EXERCISED"
    assert cell["reason"] == (
        "0 of 32 answers take 3 sparse decoding steps or more (2.0 on average), too few to test a decode policy: "
        "use tasks with longer answers, or `decode: {from: question}`"
    )


def test_a_missing_baseline_is_untested_and_names_the_option(project: pytest.Pytester) -> None:
    shutil.rmtree(project.path / "baselines")

    result, cells = run(project, "-k", "safe")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert cells["safe::single_qa[256]"]["verdict"] == "UNTESTED"
    assert cells["safe::mix[256]"]["verdict"] == "UNTESTED"
    assert "  record       pytest sparsetol.yaml --sparsetol-record" in result.outlines
    assert not (project.path / "baselines").exists()


def test_a_baseline_of_other_weights_is_an_error_that_says_so(project: pytest.Pytester) -> None:
    weights = project.path / "model" / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)

    _, cells = run(project, "-k", "safe and single")

    cell = cells["safe::single_qa[256]"]
    assert cell["verdict"] == "ERROR"
    assert "is stale" in cell["reason"]
    assert "it differs in model (" in cell["reason"]


def test_a_model_that_cannot_be_loaded_is_untested(project: pytest.Pytester) -> None:
    (project.path / "model" / "model.safetensors").unlink()

    result, cells = run(project, "-k", "safe and single")

    assert cells["safe::single_qa[256]"]["verdict"] == "UNTESTED"
    assert "model 'model' cannot be loaded" in cells["safe::single_qa[256]"]["reason"]
    assert "Traceback" not in result.stdout.str()


def test_a_defect_is_an_error_with_its_traceback_and_the_mix_says_so(project: pytest.Pytester) -> None:
    with (project.path / "agreement.py").open("a") as file:
        file.write("\n\ndef _broken(self, item, reply):\n    raise ZeroDivisionError('a defect')\n")
        file.write("\nAgreement.score = _broken\n")

    result, cells = run(project, "-k", "safe")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert cells["safe::single_qa[256]"]["verdict"] == "ERROR"
    assert cells["safe::single_qa[256]"]["reason"] == "ZeroDivisionError: a defect"
    assert cells["safe::mix[256]"]["verdict"] == "ERROR"
    result.stdout.fnmatch_lines(["*ZeroDivisionError: a defect*"])


def test_warned_verdicts_are_skips_but_a_deployment_without_a_pass_is_red(project: pytest.Pytester) -> None:
    edit(project, "max_degradation: 0.10", "max_degradation: 0.10\n  untestable: warn")
    shutil.rmtree(project.path / "baselines")
    (project.path / "references.json").write_text("{}")

    result, cells = run(project, "-k", "safe", "--sparsetol-record=missing", "-rs")

    assert cells["safe::single_qa[256]"]["verdict"] == "UNTESTABLE"
    result.assert_outcomes(skipped=2, failed=1, deselected=3)
    result.stdout.fnmatch_lines(["SKIPPED [[]1[]] *sparsetol.yaml:7: UNTESTABLE single_qa[[]256[]] safe: *"])
    result.stdout.fnmatch_lines(["No cell of safe passed: a deployment needs evidence to be green."])
    assert result.ret == pytest.ExitCode.TESTS_FAILED

    result, _ = run(project, "-k", "safe and single")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_deselected_group_leaves_the_mix_untested(project: pytest.Pytester) -> None:
    _, cells = run(project, "-k", "safe and not multi")

    assert cells["safe::single_qa[256]"]["verdict"] == "PASS"
    mix = cells["safe::mix[256]"]
    assert mix["verdict"] == "UNTESTED"
    assert mix["reason"] == (
        "30 % of traffic has no verdict: multi_qa (30 % of traffic) is UNTESTED. multi_qa: it was deselected"
    )
